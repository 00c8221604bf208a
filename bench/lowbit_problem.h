// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bitplane/kernels/aligned.h"
#include "bitplane/kernels/lowbit_conv.h"
#include "layers.h"

namespace bitplane::bench {

enum class Basis { Uniform, Learned };
[[nodiscard]] std::string basis_name(Basis basis);

/// A layer with random operands, and its outputs computed the slow way: one bit of one operand at a time.
/// Uniform weights are two's complement; learned ones are LQ-Nets': bipolar, a basis per channel.
class LowBitProblem {
 public:
  LowBitProblem(const kernels::ConvShape& shape, Widths widths, Basis basis);

  [[nodiscard]] const kernels::ConvShape& shape() const { return shape_; }
  [[nodiscard]] Basis basis() const { return basis_; }
  /// Its pointers are valid as long as the problem, and only after load().
  [[nodiscard]] kernels::BitConvSpec spec() const;
  /// Fills in the operands; does nothing the second time.
  void load();
  [[nodiscard]] kernels::PackedActivations input() const { return {input_.data(), layout_}; }
  /// Throws unless the sampled outputs are right and all of them are those of the kernels before.
  void check_integers(std::span<const std::int32_t> outputs);
  void check_floats(std::span<const float> outputs);
  void check_planes(std::span<const std::byte> planes);

  /// An epilogue to floats that changes nothing, and one that quantizes to the widths of the input: by
  /// integer thresholds where the convolution prefers them, as in the engine.
  [[nodiscard]] kernels::Epilogue to_floats(float* out) const;
  [[nodiscard]] kernels::Epilogue to_planes(const kernels::LowBitConv& conv, std::byte* out) const;
  [[nodiscard]] kernels::ActivationLayout out_layout() const;
  [[nodiscard]] std::size_t outputs() const { return shape_.out_pixels() * shape_.out_channels; }

 private:
  struct Sums {
    std::int64_t integer = 0;  ///< A
    float z = 0;
  };
  [[nodiscard]] Sums sums_at(std::size_t pixel, std::size_t channel) const;
  void check_hash(std::optional<std::uint64_t>& expected, std::span<const std::byte> bytes);

  kernels::ConvShape shape_;
  Widths widths_;
  Basis basis_;
  kernels::ActivationLayout layout_;
  std::vector<std::int32_t> weight_multiples_, activation_multiples_;
  std::vector<float> activation_basis_, weight_basis_, ones_, zeros_, thresholds_;
  std::vector<std::int32_t> integer_thresholds_, flip_;  ///< uniform; [threshold][channel], [channel]
  std::vector<std::uint64_t> words_;
  std::vector<std::uint8_t> codes_, code_of_rank_;
  kernels::AlignedArray<std::byte> input_;
  std::optional<std::uint64_t> integer_hash_, float_hash_, plane_hash_;
};

}  // namespace bitplane::bench
