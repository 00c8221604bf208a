// SPDX-License-Identifier: Apache-2.0
#include "trainer/quantizers/byte_weights.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

namespace bitplane::train {
namespace {

constexpr float kLargestCode = 127.0F;

}  // namespace

ByteWeights::ByteWeights(ByteWeightsOptions options) : options_(std::move(options)) {}

std::string_view ByteWeights::name() const noexcept {
  return "bytes";
}

void ByteWeights::visit_state(const std::string& /*prefix*/, const StateVisitor& /*visitor*/) {}

void ByteWeights::check(const Tensor& weights) const {
  if (weights.shape().front() == options_.out_channels &&
      weights.size() == options_.out_channels * options_.filter_size) {
    return;
  }
  throw std::invalid_argument("8-bit quantizer for " + std::to_string(options_.out_channels) +
                              " filters of " + std::to_string(options_.filter_size) +
                              " elements got weights " + weights.shape().str());
}

float ByteWeights::factor(std::size_t element) const noexcept {
  const std::vector<float>& scale = options_.picture_scale;
  return scale.empty() ? 1.0F : scale[element % scale.size()];
}

float ByteWeights::encode(std::span<const float> filter, std::span<std::int8_t> codes) const {
  float largest = 0.0F;
  for (std::size_t i = 0; i < filter.size(); ++i)
    largest = std::max(largest, std::fabs(filter[i] * factor(i)));
  const float scale = largest / kLargestCode;
  for (std::size_t i = 0; i < filter.size(); ++i) {
    const float w = filter[i] * factor(i);
    // Where 127 times the scale is less than the largest weight: a subnormal one, or rounding at the end.
    const float level =
        scale == 0.0F ? 0.0F : std::min(std::floor(std::fabs(w) / scale + 0.5F), kLargestCode);
    codes[i] = static_cast<std::int8_t>(w < 0.0F ? -level : level);
  }
  return scale;
}

Tensor ByteWeights::forward(const Context& /*ctx*/, const Tensor& weights) {
  check(weights);
  const std::size_t m = options_.filter_size;
  Tensor out(weights.shape());
  float* values = out.mutable_data();
  std::vector<std::int8_t> codes(m);
  for (std::size_t o = 0; o < options_.out_channels; ++o) {
    const float scale = encode({weights.data() + o * m, m}, codes);
    for (std::size_t i = 0; i < m; ++i) {
      values[o * m + i] = static_cast<float>(codes[i]) * scale;
      if (reads_picture()) values[o * m + i] /= factor(i);
    }
  }
  return out;
}

WeightExport ByteWeights::export_weights(const Tensor& weights) const {
  check(weights);
  const std::size_t m = options_.filter_size;
  WeightExport exported{.planes = 8,
                        .out_channels = options_.out_channels,
                        .k = m,
                        .encoding = engine::PlaneEncoding::TwosComplement};
  engine::UniformBasis basis;
  std::vector<std::int8_t> codes(m);
  for (std::size_t o = 0; o < options_.out_channels; ++o) {
    basis.scale.push_back(encode({weights.data() + o * m, m}, codes));
    for (const std::int8_t code : codes) exported.codes.push_back(static_cast<std::uint8_t>(code));
  }
  exported.basis = std::move(basis);
  return exported;
}

}  // namespace bitplane::train
