// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/quantizers/clustering/slq.h"

namespace bitplane::train {

/// ESLQ (Xu et al., AAAI 2018): SLQ whose centres are of a prescribed type, powers of two (ESLQ2) or numbers
/// of two decimal digits (ESLQ1).
///
///   settle    the chosen clusters get targets, the nearest numbers of the type; Lloyd steps minimize
///               1/n sum (w - c_j)^2 + beta sum over chosen |c_j - target_j|
///             by a proximal step for chosen centres; then they take their targets exactly
///
/// With beta = 0 it is chosen in each step so that all chosen centres reach their targets. Equal targets
/// merge: the lower index gets the members. Powers of two are +-2^e of as many e as the codebook has
/// magnitudes, the largest up to max |w| of the float weights; they export as integers.
class EslqWeights final : public SlqWeights {
 public:
  explicit EslqWeights(const WeightQuantizerOptions& layer);

  [[nodiscard]] std::string_view name() const noexcept override { return "eslq"; }
  void visit_state(const std::string& prefix, const StateVisitor& visitor) override;
  void choose(Backend& backend, Tensor& weights, const Loss& loss) override;
  [[nodiscard]] WeightExport export_weights(const Tensor& weights) const override;

 protected:
  void settle(Backend& backend, std::span<const float> weights, std::span<const std::size_t> chosen) override;

 private:
  [[nodiscard]] std::size_t exponents() const noexcept { return (levels().size() - 1) / 2; }
  /// The smallest positive power; 0 where all weights are 0.
  [[nodiscard]] float unit() const noexcept;
  [[nodiscard]] double target_of(double centre) const;
  [[nodiscard]] double pull(const ClusterSums& sums, std::span<const std::size_t> chosen,
                            std::span<const double> targets) const;

  bool powers_;
  double beta_;
  Tensor top_ = Tensor::zeros({1});  ///< the largest power; 0 before the first part
};

}  // namespace bitplane::train
