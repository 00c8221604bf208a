// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/quantizers/incremental.h"

namespace bitplane::train {

/// MLQ's weights (Xu, Wang, Zhou, Lin, Xiong, AAAI 2018): ternary with three learned centres a < b < c of the
/// layer, in two parts.
///
///   boundaries   k-means from {-p, 0, p} on the present weights, p the mean of the |w| above 0.7 mean |w|;
///                the clusters of a and c are quantized
///   heart        k-means of b alone, a and c pinned; the rest is quantized
///
/// Centres are whole multiples of a step of 2^-21 of the largest one's power of two, so that c - b and a - b
/// are exact: the weights are b + (c - b) [cluster c] + (a - b) [cluster a], two planes and an offset.
class MlqWeights final : public IncrementalWeights {
 public:
  static constexpr std::size_t kBoundaries = 0, kHeart = 1;  ///< the parts

  explicit MlqWeights(const WeightQuantizerOptions& layer) : IncrementalWeights(layer, 3) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "mlq"; }
  void visit_state(const std::string& prefix, const StateVisitor& visitor) override;
  [[nodiscard]] std::size_t parts() const noexcept override { return 2; }
  void choose(Backend& backend, Tensor& weights, const Loss& loss) override;
  [[nodiscard]] WeightExport export_weights(const Tensor& weights) const override;

  /// Which group of layers this one belongs to; the net's procedure decides and keeps it here.
  [[nodiscard]] std::size_t group() const noexcept { return static_cast<std::size_t>(group_.data()[0]); }
  void set_group(std::size_t group) noexcept { group_.fill(static_cast<float>(group)); }

 protected:
  [[nodiscard]] std::vector<std::uint8_t> next_levels(Backend& backend,
                                                      std::span<const float> weights) const override;

 private:
  Tensor group_ = Tensor::zeros({1});
};

/// The first centres of a layer.
[[nodiscard]] std::vector<float> mlq_start(std::span<const float> weights);

}  // namespace bitplane::train
