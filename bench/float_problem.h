// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "bitplane/kernels/conv_shape.h"

namespace bitplane::bench {

enum class Operands {
  Float,
  Bf16
};  ///< Bf16: float32 numbers of 8 significant bits, which rounding to bf16 keeps

/// A float layer with random operands: x [batch][h][w][c], w [out][K], dz like the outputs. No groups, no
/// dilation.
class FloatProblem {
 public:
  explicit FloatProblem(const kernels::ConvShape& shape, Operands operands = Operands::Float)
      : shape_(shape), operands_(operands) {}

  void load();  ///< does nothing the second time
  [[nodiscard]] const kernels::ConvShape& shape() const { return shape_; }
  [[nodiscard]] const std::vector<float>& x() const { return x_; }
  [[nodiscard]] const std::vector<float>& w() const { return w_; }
  [[nodiscard]] const std::vector<float>& dz() const { return dz_; }
  [[nodiscard]] std::size_t outputs() const { return shape_.out_pixels() * shape_.out_channels; }

  /// All throw where a sampled output is wrong. Ours is one chain of fma: equal to the bit. Others add in
  /// another order, whose error is below K * epsilon * sum |x w|.
  void check_exact(std::span<const float> z) const { check_exact(z, w_); }
  void check_exact(std::span<const float> z, const std::vector<float>& weights) const;
  void check_near(std::span<const float> z) const;
  void check_data_gradient(std::span<const float> dx) const;
  void check_weight_gradient(std::span<const float> dw) const;
  void check_weight_gradient_near(std::span<const float> dw) const;

 private:
  [[nodiscard]] float input(std::size_t pixel, std::size_t k) const;

  kernels::ConvShape shape_;
  Operands operands_;
  std::vector<float> x_, w_, dz_;
};

}  // namespace bitplane::bench
