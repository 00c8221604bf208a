// SPDX-License-Identifier: Apache-2.0
#include "trainer/evaluation/plane_side.h"

#include <stdexcept>
#include <string>
#include <variant>

namespace bitplane::train {
namespace {

using engine::PlaneEncoding;

void check_count(std::size_t have, std::size_t want, const char* what) {
  if (have != want) {
    throw std::invalid_argument(std::string(what) + " has " + std::to_string(have) + " entries, expected " +
                                std::to_string(want));
  }
}

std::vector<std::int64_t> uniform_multipliers(PlaneEncoding encoding, std::size_t planes) {
  std::vector<std::int64_t> multipliers(planes);
  for (std::size_t i = 0; i < planes; ++i) multipliers[i] = std::int64_t{1} << i;
  if (encoding == PlaneEncoding::TwosComplement && planes > 0) multipliers.back() = -multipliers.back();
  return multipliers;
}

struct SideSource {
  PlaneEncoding encoding;
  std::size_t planes, channels;
  const engine::Basis& basis;
  const std::vector<float>& offset;
};

PlaneSide read_side(const SideSource& source) {
  PlaneSide side{
      .planes = source.planes, .multipliers = {}, .basis = {}, .scale = {1.0}, .offset = source.offset};
  if (const auto* learned = std::get_if<engine::LearnedBasis>(&source.basis)) {
    check_count(learned->values.size(), source.planes * source.channels, "a learned basis");
    side.basis = learned->values;
    return side;
  }
  const auto& scale = std::get<engine::UniformBasis>(source.basis).scale;
  if (scale.size() != 1) check_count(scale.size(), source.channels, "a uniform basis");
  side.multipliers = uniform_multipliers(source.encoding, source.planes);
  side.scale.assign(scale.begin(), scale.end());
  for (std::size_t o = 0; o < side.offset.size(); ++o) {
    side.offset[o] = static_cast<float>(static_cast<double>(side.offset[o]) / side.scale_of(o));
  }
  return side;
}

}  // namespace

PlaneSide make_side(const engine::PlaneWeights& weights) {
  return read_side({.encoding = weights.encoding,
                    .planes = weights.planes.planes,
                    .channels = weights.planes.rows,
                    .basis = weights.basis,
                    .offset = weights.offset});
}

PlaneSide make_side(const engine::Quantize& quantize) {
  std::vector<float> offset;
  if (quantize.offset != 0.0F) offset.push_back(quantize.offset);
  return read_side({.encoding = quantize.encoding,
                    .planes = quantize.bits,
                    .channels = 1,
                    .basis = quantize.basis,
                    .offset = offset});
}

std::vector<float> read_plane_row(const engine::PlaneWeights& weights, std::size_t plane, std::size_t row) {
  const engine::Planes& planes = weights.planes;
  const std::size_t words_per_row = (planes.k + 63) / 64;
  check_count(planes.words.size(), planes.planes * planes.rows * words_per_row,
              "the words of the weight planes");
  const std::uint64_t* words = planes.words.data() + (plane * planes.rows + row) * words_per_row;
  std::vector<float> values(planes.k);
  for (std::size_t t = 0; t < planes.k; ++t) {
    values[t] = plane_value(weights.encoding, ((words[t / 64] >> (t % 64)) & 1U) != 0);
  }
  return values;
}

}  // namespace bitplane::train
