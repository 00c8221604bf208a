// SPDX-License-Identifier: Apache-2.0
//
// What quantizers with whole multiples of a scale have in common: integer codes on either side, so that the
// engine's integer kernels serve them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "trainer/quantizers/list.h"

namespace bitplane::train {

/// The largest float below x: "x > just_below(t)" is "x >= t".
[[nodiscard]] float just_below(float x) noexcept;

/// levels k * scale, k = 0..2^bits - 1; level k from lowest(k) on (included), k >= 1. No pass interval.
[[nodiscard]] ThresholdTable uniform_table(std::size_t bits, float scale,
                                           const std::function<double(std::size_t k)>& lowest);
/// The same where rounding half up puts a value on the nearest multiple: level k from (k - 1/2) * scale on.
[[nodiscard]] ThresholdTable nearest_table(std::size_t bits, float scale);
/// A table of uniform_table() as the model file stores it.
[[nodiscard]] engine::Quantize uniform_spec(const ThresholdTable& table, float scale);

/// Weights as integers times a scale for the layer or for each output channel.
struct IntegerWeights {
  std::vector<std::int16_t> k;  ///< [out][filter]
  std::vector<float> scale;     ///< [1] or [out], >= 0
  [[nodiscard]] float scale_of(std::size_t channel) const noexcept {
    return scale[scale.size() == 1 ? 0 : channel];
  }
};

/// Which integers the codes of n bits are.
enum class IntegerCodes : std::uint8_t {
  TwosComplement,  ///< -2^(n-1) .. 2^(n-1) - 1
  Odd,             ///< -(2^n - 1), -(2^n - 3) .. 2^n - 1: n bipolar planes
};

/// A weight quantizer that is its integers: value = k * scale. A method adds integers(), its backward and its
/// state.
class IntegerWeightQuantizer : public WeightQuantizer {
 public:
  explicit IntegerWeightQuantizer(const WeightQuantizerOptions& options) : options_(options) {}

  [[nodiscard]] std::size_t bits() const noexcept override { return options_.bits; }
  void visit_state(const std::string& prefix, const StateVisitor& visitor) override;
  Tensor forward(const Context& ctx, const Tensor& weights) override;
  [[nodiscard]] WeightExport export_weights(const Tensor& weights) const override;

 protected:
  /// Of weights whose size was checked, with the present state.
  [[nodiscard]] virtual IntegerWeights integers(const Tensor& weights) const = 0;
  [[nodiscard]] virtual IntegerCodes codes() const noexcept { return IntegerCodes::TwosComplement; }
  /// Training, before integers(): where the state starts or moves.
  virtual void before_forward(const Context& ctx, const Tensor& weights);

  [[nodiscard]] const WeightQuantizerOptions& layer() const noexcept { return options_; }
  /// Throws std::invalid_argument, with the shape, when `weights` is not the layer's.
  void check(const Tensor& weights) const;

 private:
  WeightQuantizerOptions options_;
};

/// Mean of |x|; 0 of nothing.
[[nodiscard]] double mean_magnitude(std::span<const float> x) noexcept;
/// The same of a big tensor, in parallel.
[[nodiscard]] double mean_of_magnitudes(Backend& backend, const Tensor& x);

}  // namespace bitplane::train
