// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "trainer/quantizers/list.h"

namespace bitplane::train {

/// LQ-Nets' activations: one unsigned basis for the layer.
///
///   forward   the table of the basis v (after T - 1 steps of QEM when T > 1); training then takes one more
///             step on the batch's counts and sums by rank and moves v by the moving average
///   backward  1 from the smallest level (0, or below where an element of v is negative) to the largest one,
///             both included, else 0: the slope of the clamp between them
/// With `optimize` = bp the basis moves by its gradient instead: codes held, scaled by 1 / elements.
class LqActivations final : public ActivationQuantizer {
 public:
  /// Throws std::invalid_argument when bits are not 1..8.
  explicit LqActivations(const ActivationQuantizerOptions& options);

  [[nodiscard]] std::string_view name() const noexcept override;
  [[nodiscard]] std::size_t bits() const noexcept override { return bits_; }
  void visit_state(const std::string& prefix, const StateVisitor& visitor) override;
  [[nodiscard]] ThresholdTable table() const override;
  [[nodiscard]] bool looks_ahead() const noexcept override { return alternations_ > 1 && !descends_; }
  void before_batch(const Context& ctx, const Tensor& x) override;
  void after_batch(const RankStatistics& statistics) override;
  [[nodiscard]] bool wants_statistics() const noexcept override { return !descends_; }
  [[nodiscard]] std::vector<Variable> trained() const override;
  std::vector<Tensor> backward(const Context& ctx, const ThresholdTable& used, const Tensor& x,
                               Tensor grad_output) override;
  [[nodiscard]] std::vector<double> surrogate(const SurrogatePoint& point) const override;
  [[nodiscard]] engine::Quantize export_spec() const override;
  [[nodiscard]] std::vector<Reading> readings() const override;

 private:
  std::size_t bits_, alternations_;
  bool ema_debias_, descends_;
  Parameter basis_;  ///< [bits]
  Tensor steps_;     ///< [1], the training steps seen; only counted with ema_debias
  std::vector<double>
      found_;  ///< between before_batch and after_batch: the basis after the steps taken so far
};

}  // namespace bitplane::train
