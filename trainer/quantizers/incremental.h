// SPDX-License-Identifier: Apache-2.0
//
// Weights that are quantized part by part, with training in between: what is quantized stays where it is, the
// rest makes up for it (INQ, SLQ, ESLQ, MLQ).
//
//   per part    choose()   levels, and who belongs to the part; no weight moves
//               freeze()   the part's weights go onto their levels
//   forward     the weights themselves: frozen ones lie on their levels, others are float
//   backward    0 where frozen, else straight through; the optimizer skips what is frozen (frozen())
//   export      after the last part all weights are levels[index]; before, the layer is exported as floats
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "trainer/quantizers/list.h"

namespace bitplane::train {

class IncrementalWeights : public WeightQuantizer {
 public:
  /// Loss of the whole net on a fixed set, with whatever the layer's weights hold at the moment.
  using Loss = std::function<double()>;

  IncrementalWeights(const WeightQuantizerOptions& layer, std::size_t levels);

  [[nodiscard]] std::size_t bits() const noexcept override { return layer_.bits; }
  void visit_state(const std::string& prefix, const StateVisitor& visitor) override;
  Tensor forward(const Context& ctx, const Tensor& weights) override;
  std::vector<Tensor> backward(const Context& ctx, const Tensor& weights, Tensor grad_output) override;
  [[nodiscard]] std::vector<double> surrogate(const SurrogatePoint& point) const override;
  [[nodiscard]] Tensor frozen() const override { return frozen_; }
  /// Until the last part.
  [[nodiscard]] bool keeps_floats() const noexcept override { return parts_done() < parts(); }
  /// One plane per level but the first, which must be 0. Throws std::invalid_argument before the last part.
  [[nodiscard]] WeightExport export_weights(const Tensor& weights) const override;
  [[nodiscard]] std::optional<CodebookExport> export_codebook(const Tensor& weights) const override;

  [[nodiscard]] virtual std::size_t parts() const noexcept = 0;
  [[nodiscard]] std::size_t parts_done() const noexcept;
  /// Of the weights, 0 to 1.
  [[nodiscard]] double frozen_share() const noexcept;
  /// For the next part. `weights` are the net's own; where the method asks for losses, it moves them and puts
  /// them back.
  virtual void choose(Backend& backend, Tensor& weights, const Loss& loss) = 0;
  void freeze(Backend& backend, Tensor& weights);
  /// Moves the weights as freeze() would, and freezes nothing.
  void preview(Backend& backend, Tensor& weights) const;

  [[nodiscard]] std::span<const float> levels() const noexcept { return levels_.values(); }

 protected:
  static constexpr std::uint8_t kStaysFloat = 255;
  /// What freeze() does, [out * filter]: the index of a weight's level, or kStaysFloat.
  [[nodiscard]] virtual std::vector<std::uint8_t> next_levels(Backend& backend,
                                                              std::span<const float> weights) const = 0;

  /// [out * filter]: 1 where a weight stays.
  [[nodiscard]] std::span<const float> frozen_marks() const noexcept { return frozen_.values(); }
  [[nodiscard]] std::span<float> mutable_levels() noexcept { return levels_.mutable_values(); }
  [[nodiscard]] const WeightQuantizerOptions& layer() const noexcept { return layer_; }
  /// Index of each weight's level. Throws std::invalid_argument for weights that are not on them.
  [[nodiscard]] std::vector<std::uint8_t> indices(const Tensor& weights) const;
  /// For levels that are 0 and unit * +-2^e, e < exponents: two's complement planes. unit 0: all are 0.
  [[nodiscard]] WeightExport export_powers(const Tensor& weights, float unit, std::size_t exponents) const;
  /// Throws std::invalid_argument, with the shape, when `weights` is not the layer's.
  void check(const Tensor& weights) const;

 private:
  WeightQuantizerOptions layer_;
  Tensor levels_;                      ///< [count]
  Tensor frozen_;                      ///< [out][filter]: 1 where a weight stays
  Tensor parts_ = Tensor::zeros({1});  ///< done
};

}  // namespace bitplane::train
