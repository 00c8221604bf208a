// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/variants.h"

#include <cstdint>
#include <numeric>
#include <variant>

#include "bitplane/kernels/lowbit_conv.h"
#include "engine/onnx/levels.h"

namespace bitplane::cli {
namespace {

/// The weights of a layer; null for every other operation.
engine::Weights* weights_of(engine::Operation& op) {
  if (auto* conv = std::get_if<engine::Conv2d>(&op)) return &conv->weights;
  if (auto* linear = std::get_if<engine::Linear>(&op)) return &linear->weights;
  return nullptr;
}

bool make_uniform(engine::Basis& basis, std::size_t rows) {
  if (std::holds_alternative<engine::UniformBasis>(basis)) return false;
  basis = engine::UniformBasis{std::vector<float>(rows, 0.5F)};
  return true;
}

constexpr std::size_t kBits = 8;

engine::Quantize eight_bit_quantizer() {
  engine::Quantize quantize;
  quantize.bits = kBits;
  quantize.basis = engine::UniformBasis{{1.0F / 32.0F}};
  for (std::size_t l = 0; l + 1 < std::size_t{1} << kBits; ++l)
    quantize.thresholds.push_back((static_cast<float>(l) + 0.5F) / 32.0F);
  quantize.code_of_rank.resize(std::size_t{1} << kBits);
  std::iota(quantize.code_of_rank.begin(), quantize.code_of_rank.end(), std::uint8_t{0});
  return quantize;
}

engine::PlaneWeights eight_bit_weights(std::size_t rows, std::size_t k) {
  const std::size_t words = (k + 63) / 64;
  engine::PlaneWeights weights{.planes = {kBits, rows, k, std::vector<std::uint64_t>(kBits * rows * words)},
                               .encoding = engine::PlaneEncoding::TwosComplement,
                               .basis = engine::UniformBasis{{0.01F}},
                               .offset = {}};
  std::uint64_t state = 88172645463325252U;
  for (std::size_t i = 0; i < weights.planes.words.size(); ++i) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    const bool last = i % words + 1 == words && k % 64 != 0;
    weights.planes.words[i] = last ? state & ((std::uint64_t{1} << k % 64) - 1) : state;
  }
  return weights;
}

std::size_t rows_of(const engine::Operation& op) {
  const auto* conv = std::get_if<engine::Conv2d>(&op);
  return conv != nullptr ? conv->out_channels : std::get<engine::Linear>(op).out_features;
}

}  // namespace

engine::ModelSpec float_twin(const engine::ModelSpec& spec) {
  engine::ModelSpec twin = spec;
  twin.golden = {};
  for (engine::Node& node : twin.nodes) {
    if (engine::Weights* weights = weights_of(node.op))
      *weights = engine::FloatWeights{onnx::dequantize(*weights)};
    if (std::holds_alternative<engine::Quantize>(node.op)) node.op = engine::Relu{};
    if (std::holds_alternative<engine::Dequantize>(node.op)) node.op = engine::Identity{};
  }
  return twin;
}

std::optional<engine::ModelSpec> uniform_twin(const engine::ModelSpec& spec) {
  engine::ModelSpec twin = spec;
  twin.golden = {};
  bool changed = false;
  for (engine::Node& node : twin.nodes) {
    engine::Weights* weights = weights_of(node.op);
    auto* planes = weights == nullptr ? nullptr : std::get_if<engine::PlaneWeights>(weights);
    if (planes != nullptr) changed = make_uniform(planes->basis, planes->planes.rows) || changed;
    if (auto* quantize = std::get_if<engine::Quantize>(&node.op))
      changed = make_uniform(quantize->basis, 1) || changed;
  }
  return changed ? std::optional(twin) : std::nullopt;
}

std::optional<engine::ModelSpec> eight_bit_ends(const engine::ModelSpec& spec) {
  engine::ModelSpec twin = spec;
  twin.golden = {};
  twin.nodes.clear();
  twin.input.mean.assign(twin.input.channels, 0.0F);  // a byte that means 0 is what such a layer needs
  bool changed = false;
  for (engine::Node node : spec.nodes) {
    engine::Weights* weights = weights_of(node.op);
    const auto* floats = weights == nullptr ? nullptr : std::get_if<engine::FloatWeights>(weights);
    if (floats != nullptr) {
      // The picture's bytes are 8 bits already.
      if (node.inputs[0] != "input") {
        const std::string quantizer = eight_bit_input(node.name);
        twin.nodes.push_back({quantizer, node.inputs, eight_bit_quantizer()});
        node.inputs = {quantizer};
      }
      changed = true;
      const std::size_t rows = rows_of(node.op);
      *weights = eight_bit_weights(rows, floats->values.size() / rows);
    }
    twin.nodes.push_back(std::move(node));
  }
  return changed ? std::optional(twin) : std::nullopt;
}

std::string eight_bit_input(const std::string& layer) {
  return layer + "/8-bit input";
}

std::size_t granule_of(std::size_t channels) noexcept {
  if (channels <= 16) return 16;
  if (channels <= 32) return 32;
  return (channels + 63) / 64 * 64;
}

std::vector<std::string> family_names() {
  std::vector<std::string> names;
  for (const kernels::Family family : kernels::lowbit_families())
    names.emplace_back(kernels::family_name(family));
  return names;
}

}  // namespace bitplane::cli
