// SPDX-License-Identifier: Apache-2.0
#include "engine/onnx/levels.h"

#include <cmath>
#include <cstdint>
#include <span>

namespace bitplane::onnx {
namespace {

using engine::PlaneEncoding;

/// How a basis serves the rows of a matrix; one row for activations.
struct Side {
  const engine::Basis& basis;
  PlaneEncoding encoding;
  std::size_t planes, rows;
};

/// What plane `plane` counts in that row.
double plane_value(const Side& side, std::size_t plane, std::size_t row) {
  if (const auto* learned = std::get_if<engine::LearnedBasis>(&side.basis))
    return static_cast<double>(learned->values[plane * side.rows + row]);
  const auto& scale = std::get<engine::UniformBasis>(side.basis).scale;
  const double value =
      std::ldexp(static_cast<double>(scale.size() == 1 ? scale[0] : scale[row]), static_cast<int>(plane));
  return side.encoding == PlaneEncoding::TwosComplement && plane + 1 == side.planes ? -value : value;
}

double bit_value(PlaneEncoding encoding, bool bit) {
  return encoding == PlaneEncoding::Bipolar ? (bit ? 1.0 : -1.0) : (bit ? 1.0 : 0.0);
}

std::vector<float> dequantize_planes(const engine::PlaneWeights& weights) {
  const engine::Planes& planes = weights.planes;
  const std::size_t words = (planes.k + 63) / 64;
  std::vector<float> values(planes.rows * planes.k);
  std::vector<double> row(planes.k);
  for (std::size_t r = 0; r < planes.rows; ++r) {
    row.assign(planes.k, weights.offset.empty() ? 0.0 : static_cast<double>(weights.offset[r]));
    for (std::size_t p = 0; p < planes.planes; ++p) {
      const double value = plane_value({weights.basis, weights.encoding, planes.planes, planes.rows}, p, r);
      const std::uint64_t* bits = planes.words.data() + (p * planes.rows + r) * words;
      for (std::size_t e = 0; e < planes.k; ++e)
        row[e] += value * bit_value(weights.encoding, (bits[e / 64] >> e % 64 & 1U) != 0);
    }
    for (std::size_t e = 0; e < planes.k; ++e) values[r * planes.k + e] = static_cast<float>(row[e]);
  }
  return values;
}

std::vector<float> dequantize_codebook(const engine::CodebookWeights& weights) {
  const engine::Planes& planes = weights.indices;
  const std::size_t words = (planes.k + 63) / 64;
  const bool layer = weights.scope == engine::CodebookScope::Layer;
  const std::size_t count = layer ? 0 : weights.levels.size() / planes.rows;
  std::vector<float> values(planes.rows * planes.k);
  for (std::size_t r = 0; r < planes.rows; ++r) {
    for (std::size_t e = 0; e < planes.k; ++e) {
      std::size_t index = r * count;
      for (std::size_t p = 0; p < planes.planes; ++p)
        index += (planes.words[(p * planes.rows + r) * words + e / 64] >> e % 64 & 1U) << p;
      values[r * planes.k + e] = weights.levels[index];
    }
  }
  return values;
}

}  // namespace

std::vector<float> dequantize(const engine::Weights& weights) {
  if (const auto* floats = std::get_if<engine::FloatWeights>(&weights)) {
    return {floats->values.begin(), floats->values.end()};
  }
  if (const auto* book = std::get_if<engine::CodebookWeights>(&weights)) return dequantize_codebook(*book);
  return dequantize_planes(std::get<engine::PlaneWeights>(weights));
}

std::vector<float> levels_by_code(const engine::Quantize& quantize) {
  std::vector<float> levels(quantize.code_of_rank.size());
  for (std::size_t c = 0; c < levels.size(); ++c) {
    auto level = static_cast<double>(quantize.offset);
    for (std::size_t p = 0; p < quantize.bits; ++p) {
      level += plane_value({quantize.basis, quantize.encoding, quantize.bits, 1}, p, 0) *
               bit_value(quantize.encoding, (c >> p & 1U) != 0);
    }
    levels[c] = static_cast<float>(level);
  }
  return levels;
}

std::vector<float> levels_by_rank(const engine::Quantize& quantize) {
  const std::vector<float> by_code = levels_by_code(quantize);
  std::vector<float> levels;
  for (const std::uint8_t code : quantize.code_of_rank) levels.push_back(by_code[code]);
  return levels;
}

}  // namespace bitplane::onnx
