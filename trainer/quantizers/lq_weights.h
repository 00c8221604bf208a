// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "trainer/quantizers/list.h"

namespace bitplane::train {

/// LQ-Nets' weights: a bipolar basis for each output channel.
///
///   forward   codes and levels under the basis v (after T - 1 steps of QEM when T > 1); training then takes
///   one
///             more step on the same data and moves v by the moving average
///   backward  straight through: dW' / dW = 1
/// With `optimize` = bp the bases move by their gradient instead, codes held.
class LqWeights final : public WeightQuantizer {
 public:
  /// Throws std::invalid_argument when bits are not 1..8.
  explicit LqWeights(const WeightQuantizerOptions& options);

  [[nodiscard]] std::string_view name() const noexcept override;
  [[nodiscard]] std::size_t bits() const noexcept override { return options_.bits; }
  void visit_state(const std::string& prefix, const StateVisitor& visitor) override;
  Tensor forward(const Context& ctx, const Tensor& weights) override;
  [[nodiscard]] std::vector<Variable> trained() const override;
  std::vector<Tensor> backward(const Context& ctx, const Tensor& weights, Tensor grad_output) override;
  [[nodiscard]] std::vector<double> surrogate(const SurrogatePoint& point) const override;
  [[nodiscard]] WeightExport export_weights(const Tensor& weights) const override;
  /// The mean basis of the filters.
  [[nodiscard]] std::vector<Reading> readings() const override;

 private:
  void check(const Tensor& weights) const;

  WeightQuantizerOptions options_;
  std::size_t alternations_;
  bool ema_debias_, descends_;
  Parameter basis_;  ///< [out][bits]
  Tensor steps_;     ///< [1], the training steps seen; only counted with ema_debias
};

}  // namespace bitplane::train
