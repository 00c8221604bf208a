// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/isa_check.h"

#include <cstdint>
#include <cstring>
#include <span>

#include "bitplane/kernels/isa.h"
#include "engine/cli/shared/errors.h"

namespace bitplane::cli {
namespace {

constexpr std::size_t kPictures = 64, kBatch = 8, kManyThreads = 3;

/// Half the pictures are noise, half are flat areas with steps: both kinds of codes occur, runs and changes.
std::vector<std::uint8_t> draw_pictures(const engine::InputShape& shape, std::size_t count) {
  const std::size_t row = shape.width * shape.channels, size = shape.height * row;
  std::vector<std::uint8_t> pixels(count * size);
  std::uint32_t state = 2463534242U;
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    const std::size_t picture = i / size, y = i % size / row, x = i % row;
    const std::size_t flat = (y * (picture + 3) / 8 + x * (picture % 5 + 1) / 8) * 37;
    pixels[i] = static_cast<std::uint8_t>(picture % 2 == 0 ? state >> 24 : flat);
  }
  return pixels;
}

struct Outcome {
  std::vector<float> logits;                     ///< [pictures][classes]
  std::vector<std::vector<std::uint8_t>> codes;  ///< [layers][pictures * size]
};

Outcome run(const engine::Model& model, std::span<const std::uint8_t> pictures,
            engine::SessionOptions options) {
  options.batch = kBatch;
  options.capture_codes = true;
  auto session = take(engine::Session::create(model, options));
  Outcome outcome;
  outcome.codes.resize(session.quantizers().size());
  const std::size_t step = pictures.size() / kPictures * kBatch;
  for (std::size_t at = 0; at < pictures.size(); at += step) {
    check(session.run(pictures.subspan(at, step)));
    outcome.logits.insert(outcome.logits.end(), session.output().begin(), session.output().end());
    for (std::size_t l = 0; l < outcome.codes.size(); ++l) {
      outcome.codes[l].insert(outcome.codes[l].end(), session.codes(l).begin(), session.codes(l).end());
    }
  }
  return outcome;
}

template <class T>
bool same_part(const std::vector<T>& a, const std::vector<T>& b, std::size_t picture) {
  const std::size_t size = a.size() / kPictures;
  return a.size() == b.size() &&
         std::memcmp(a.data() + picture * size, b.data() + picture * size, size * sizeof(T)) == 0;
}

/// "" when equal.
std::string difference(const Outcome& a, const Outcome& b, std::size_t picture,
                       std::span<const std::string> layers) {
  for (std::size_t l = 0; l < a.codes.size(); ++l) {
    if (!same_part(a.codes[l], b.codes[l], picture)) {
      return "the codes of layer " + layers[l] + ", drawn picture " + std::to_string(picture);
    }
  }
  if (!same_part(a.logits, b.logits, picture))
    return "the logits of drawn picture " + std::to_string(picture);
  return "";
}

/// "avx2, bitserial, 3 threads"
std::string name_of(const engine::SessionOptions& options) {
  std::string name = options.isa;
  if (!options.family.empty()) name += ", " + options.family;
  if (options.autotune) name += ", autotuned";
  if (options.threads != 1) name += ", " + std::to_string(options.threads) + " threads";
  return name;
}

}  // namespace

std::vector<std::string> present_isas() {
  std::vector<std::string> names;
  for (const kernels::IsaInfo& info : kernels::kIsas) {
    if (kernels::resolve_isa(info.name).error == kernels::IsaError::None) names.emplace_back(info.name);
  }
  return names;
}

std::vector<VariantCheck> check_variants(const engine::Model& model, const engine::SessionOptions& asked) {
  const auto pictures = draw_pictures(model.input(), kPictures);
  const std::string reference_isa(kernels::isa_name(kernels::Isa::Scalar));
  const Outcome reference = run(model, pictures, {.isa = reference_isa});
  const auto probe = take(engine::Session::create(model, {.isa = reference_isa}));
  const bool own_kernels = !asked.family.empty() || asked.autotune;
  std::vector<VariantCheck> checks;
  for (const std::string& isa : asked.isa.empty() ? present_isas() : std::vector<std::string>{asked.isa}) {
    for (const std::size_t threads : {std::size_t{1}, asked.threads > 1 ? asked.threads : kManyThreads}) {
      if (isa == reference_isa && threads == 1 && !own_kernels) continue;
      engine::SessionOptions options = asked;
      options.isa = isa;
      options.threads = threads;
      const Outcome outcome = run(model, pictures, options);
      VariantCheck check{.variant = name_of(options), .pictures = kPictures, .first_difference = ""};
      for (std::size_t i = 0; i < kPictures; ++i) {
        const std::string found = difference(reference, outcome, i, probe.quantizers());
        if (found.empty()) ++check.equal;
        if (check.first_difference.empty()) check.first_difference = found;
      }
      checks.push_back(std::move(check));
    }
  }
  return checks;
}

}  // namespace bitplane::cli
