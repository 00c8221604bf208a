// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/quantizers/clustering/k_means.h"
#include "trainer/quantizers/incremental.h"

namespace bitplane::train {

inline constexpr std::array<std::string_view, 2> kClusterOrders{"magnitude", "loss"};
inline constexpr std::array<std::string_view, 2> kClusterStarts{"nonlinear", "linear"};
/// ESLQ has them too.
inline constexpr std::array kSlqOptions{
    OptionInfo{.name = "order",
               .help =
                   "which clusters are quantized first: magnitude (0 and the largest) or loss (those that "
                   "cost most on 2048 training pictures)",
               .kind = OptionKind::Choice,
               .choices = kClusterOrders},
    OptionInfo{.name = "start",
               .help = "first centres: nonlinear (powers of two) or linear",
               .kind = OptionKind::Choice,
               .choices = kClusterStarts},
};

/// Clusters that become fixed in each part; bits are 3 to 5.
[[nodiscard]] std::span<const std::size_t> slq_partition(std::size_t bits);
/// 2^(bits - 1) + 1
[[nodiscard]] std::size_t slq_levels(std::size_t bits);

/// SLQ's weights: a codebook of slq_levels() centres for the layer, centre 0 exactly 0.
///
///   choose    k-means from the centres of the part before (at first from powers of two), with 0 and all
///             quantized clusters pinned; then the next clusters, in index order or by the loss that each
///             causes
///   freeze    every weight in a quantized cluster takes its centre; also one that drifted into an older one
class SlqWeights : public IncrementalWeights {
 public:
  explicit SlqWeights(const WeightQuantizerOptions& layer);

  [[nodiscard]] std::string_view name() const noexcept override { return "slq"; }
  void visit_state(const std::string& prefix, const StateVisitor& visitor) override;
  [[nodiscard]] std::size_t parts() const noexcept override { return slq_partition(bits()).size(); }
  void choose(Backend& backend, Tensor& weights, const Loss& loss) override;
  /// [levels]: 1 for the clusters whose weights are fixed.
  [[nodiscard]] std::span<const float> quantized() const noexcept { return quantized_.values(); }

 protected:
  [[nodiscard]] std::vector<std::uint8_t> next_levels(Backend& backend,
                                                      std::span<const float> weights) const override;
  /// After the k-means of a part, before its clusters count as quantized: the last word on the centres.
  virtual void settle(Backend& backend, std::span<const float> weights, std::span<const std::size_t> chosen);
  /// quantized(), and cluster 0.
  [[nodiscard]] std::vector<float> pinned() const;

 private:
  /// Clusters that are not quantized yet, the next first.
  [[nodiscard]] std::vector<std::size_t> ordered(Backend& backend, Tensor& weights, const Loss& loss) const;

  ClusterStart start_;
  bool by_loss_;
  Tensor quantized_;  ///< [levels]
};

}  // namespace bitplane::train
