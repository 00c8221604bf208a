// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "trainer/quantizers/quantizer.h"

namespace bitplane::train {

struct ByteWeightsOptions {
  std::size_t out_channels = 1;
  std::size_t filter_size = 1;
  /// Of a layer on the picture: what preprocessing multiplies a byte of each channel with. The codes are then
  /// those of weight * scale, and their products those of bytes. Empty: of any other layer.
  std::vector<float> picture_scale = {};
};

/// 8-bit weights of first and last layers, one scale per output channel:
///
///   forward   s = max|w| / 127, k = sgn(w) * floor(|w| / s + 1/2), value = k * s; all zero: k = s = 0
///   backward  straight through: dW' / dW = 1
///
/// s follows the weights, so there is no state. With picture_scale a, w above is w * a, and the value is k *
/// s / a.
class ByteWeights final : public WeightQuantizer {
 public:
  explicit ByteWeights(ByteWeightsOptions options);

  [[nodiscard]] std::string_view name() const noexcept override;
  [[nodiscard]] std::size_t bits() const noexcept override { return 8; }
  void visit_state(const std::string& prefix, const StateVisitor& visitor) override;
  Tensor forward(const Context& ctx, const Tensor& weights) override;
  [[nodiscard]] WeightExport export_weights(const Tensor& weights) const override;
  [[nodiscard]] bool reads_picture() const noexcept override { return !options_.picture_scale.empty(); }

 private:
  /// Codes of one filter; returns its scale.
  float encode(std::span<const float> filter, std::span<std::int8_t> codes) const;
  [[nodiscard]] float factor(std::size_t element) const noexcept;
  void check(const Tensor& weights) const;

  ByteWeightsOptions options_;
};

}  // namespace bitplane::train
