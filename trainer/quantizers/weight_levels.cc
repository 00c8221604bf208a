// SPDX-License-Identifier: Apache-2.0
#include "trainer/quantizers/weight_levels.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <utility>
#include <variant>

namespace bitplane::train {
namespace {

constexpr std::size_t kMostLevels = 256;

/// -1, 0 or 1.
int read_bit(const WeightExport& weights, unsigned code, std::size_t plane) {
  const int bit = static_cast<int>((code >> plane) & 1U);
  return weights.encoding == engine::PlaneEncoding::Bipolar ? 2 * bit - 1 : bit;
}

float uniform_level(const WeightExport& weights, float scale, unsigned code, float offset) {
  int sum = 0;
  for (std::size_t i = 0; i < weights.planes; ++i) {
    const bool negative =
        weights.encoding == engine::PlaneEncoding::TwosComplement && i + 1 == weights.planes;
    sum += read_bit(weights, code, i) * (negative ? -(1 << i) : 1 << i);
  }
  return std::fma(static_cast<float>(sum), scale, offset);
}

}  // namespace

float level_of(const WeightExport& weights, std::size_t channel, unsigned code) {
  const float offset = weights.offset.empty() ? 0.0F : weights.offset[channel];
  if (const auto* uniform = std::get_if<engine::UniformBasis>(&weights.basis)) {
    return uniform_level(weights, uniform->scale[uniform->scale.size() == 1 ? 0 : channel], code, offset);
  }
  const std::vector<float>& basis = std::get<engine::LearnedBasis>(weights.basis).values;
  float level = 0.0F;
  for (std::size_t i = 0; i < weights.planes; ++i) {
    const int bit = read_bit(weights, code, i);
    const float v = basis[i * weights.out_channels + channel];
    if (bit != 0) level += bit > 0 ? v : -v;
  }
  return level + offset;
}

std::vector<float> dequantize(const WeightExport& weights) {
  std::vector<float> values;
  values.reserve(weights.codes.size());
  for (std::size_t e = 0; e < weights.codes.size(); ++e) {
    values.push_back(level_of(weights, e / weights.k, weights.codes[e]));
  }
  return values;
}

std::vector<float> dequantize(const CodebookExport& weights) {
  const bool layer = weights.scope == engine::CodebookScope::Layer;
  const std::size_t count = layer ? 0 : weights.levels.size() / weights.out_channels;
  std::vector<float> values;
  values.reserve(weights.indices.size());
  for (std::size_t e = 0; e < weights.indices.size(); ++e) {
    values.push_back(weights.levels[e / weights.k * count + weights.indices[e]]);
  }
  return values;
}

std::optional<CodebookExport> codebook_of(const WeightExport& weights) {
  const std::set<std::uint16_t> used(weights.codes.begin(), weights.codes.end());
  if (used.size() > kMostLevels) return std::nullopt;
  CodebookExport book{
      .out_channels = weights.out_channels, .k = weights.k, .scope = engine::CodebookScope::Channel};
  std::vector<std::uint8_t> index_of(std::size_t{std::numeric_limits<std::uint16_t>::max()} + 1);
  for (std::size_t next = 0; const std::uint16_t code : used)
    index_of[code] = static_cast<std::uint8_t>(next++);
  for (const std::uint16_t code : weights.codes) book.indices.push_back(index_of[code]);
  for (std::size_t o = 0; o < weights.out_channels; ++o) {
    for (const std::uint16_t code : used) book.levels.push_back(level_of(weights, o, code));
  }
  const auto count = static_cast<std::ptrdiff_t>(used.size());
  if (std::equal(book.levels.begin() + count, book.levels.end(), book.levels.begin())) {
    // Each channel has the levels of the one before it.
    book.levels.resize(used.size());
    book.scope = engine::CodebookScope::Layer;
  }
  return book;
}

}  // namespace bitplane::train
