// SPDX-License-Identifier: Apache-2.0
//
// QIL (Jung, Son, Lee, Son, Han, Kwak, Hwang, Choi, "Learning to quantize deep networks by optimizing
// quantization intervals with task loss", CVPR 2019): an interval [c - d, c + d] of magnitudes per layer and
// operand, trained. Below it a value is pruned, above it clipped; q levels lie in between.
//
//   r = (|x| - c + d) / (2d), k = #{j = 1..q : |x| >= c - d + (2j - 1) d / q}
//   weights      sgn(w) k / q, times M = c + d - d / q with weight_scale = M; q = 2^(n-1) - 1
//   activations  k / q, q = 2^n - 1
//   surrogate    sgn(w) clamp(r, 0, 1) (times M), with the gradients of c and d that follow from it. The
//                paper prints two of them wrongly (of alpha by c, and of activations by d).
#pragma once

#include <cstddef>
#include <string>

#include "trainer/quantizers/quantizer.h"
#include "trainer/quantizers/trained_scalar.h"

namespace bitplane::train {

/// Centre and half width.
struct QilInterval {
  double c = 0, d = 1;
};

/// Brings c and d back after a step: d >= d_min, then c >= d (1 - 1/q) + d_min, so that 0 maps to 0.
[[nodiscard]] QilInterval qil_project(QilInterval interval, double q, double d_min) noexcept;
/// c = d of the best uniform quantizer of a Gaussian with deviation sigma; q = 2^n - 1, n = 1..8.
[[nodiscard]] QilInterval qil_start(double q, double sigma) noexcept;

/// The two numbers of a layer, as they are stored.
class QilParameters {
 public:
  static constexpr float kRate = 0.01F;  ///< relative to the weights' learning rate

  /// q: levels above 0.
  explicit QilParameters(double q) : q_(q) {}

  [[nodiscard]] double q() const noexcept { return q_; }
  [[nodiscard]] bool started() const noexcept { return start_.data()[0] > 0.0F; }
  void start(QilInterval interval) noexcept;
  /// After a step; does nothing before the start.
  void project() noexcept;
  /// Projected; of the Gaussian with `sigma` while nothing has started.
  [[nodiscard]] QilInterval interval(double sigma = 1.0) const noexcept;
  [[nodiscard]] std::vector<Variable> trained() const { return {c_.variable(), d_.variable()}; }
  void visit(const std::string& prefix, const StateVisitor& visitor);

 private:
  double q_;
  TrainedScalar c_{1.0F, kRate}, d_{1.0F, kRate};
  Tensor start_ = Tensor::zeros({1});  ///< the half width that it began with; 0: not yet
};

}  // namespace bitplane::train
