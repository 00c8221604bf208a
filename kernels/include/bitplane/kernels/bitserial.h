// SPDX-License-Identifier: Apache-2.0
//
// Family `bitserial`: convolution and GEMM on bit-planes.
//
//   P_ij = pop(w_i AND a_j)   X_ij = pop(w_i XOR a_j)   S_j = pop(a_j)   R_i = pop(w_i)
//   D_ij = P_ij                  Unsigned x Unsigned
//          2 P_ij - S_j          Bipolar  x Unsigned
//          2 P_ij - R_i          Unsigned x Bipolar      (R_i over the taps inside the picture)
//          K - 2 X_ij            Bipolar  x Bipolar      (K and X_ij over the taps inside the picture)
//
// D is an exact integer. The combination makes z of it (docs/BITPLANES.md, "Normative arithmetic"):
//
//   UniformBoth         A = sum_ij m_i n_j D_ij in int32;  z = float(A)
//   LearnedWeights      z = sum over i of fma(v_i, float(sum_j n_j D_ij), z)
//   LearnedActivations  z = sum over j of fma(u_j, float(sum_i m_i D_ij), z)
//   LearnedBoth         z = sum over j, then i, of fma(v_i * u_j rounded once, float(D_ij), z)
//
// with m, n the integer multiples (+-2^i, in any order) of a uniform side, whose scale is folded into the
// epilogue's affine. Then, where there are offsets: z = fma(offset_w, sum(a), z), z = fma(offset_a, sum(w
// planes), z).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "bitplane/kernels/conv_shape.h"
#include "bitplane/kernels/epilogue.h"
#include "bitplane/kernels/isa.h"
#include "bitplane/kernels/planes.h"

namespace bitplane::kernels {

enum class Combination : std::uint8_t { UniformBoth, LearnedWeights, LearnedActivations, LearnedBoth };

/// What a convolution's weights and activations mean. Pointers are read at construction only.
struct BitConvSpec {
  ConvShape shape{};  ///< batch is ignored: run() takes any number of rows
  Encoding weight_encoding = Encoding::Unsigned;
  Encoding activation_encoding = Encoding::Unsigned;
  PlaneMatrixView weights{};  ///< rows = out_channels, k = filter_size()
  std::size_t activation_planes = 1;
  Combination combination = Combination::UniformBoth;
  const std::int32_t* weight_multiples = nullptr;      ///< [weight planes]; uniform weights
  const std::int32_t* activation_multiples = nullptr;  ///< [activation planes]; uniform activations
  const float* weight_basis = nullptr;                 ///< [planes][out_channels]; learned weights
  const float* activation_basis = nullptr;             ///< [activation planes]; learned activations
  const float* weight_offset = nullptr;  ///< [out_channels] or null: in units of the weight side's scale
  float activation_offset = 0.0F;        ///< in units of the activation side's scale
};

/// One ISA's bit-serial kernels (opaque to callers; the registry lists them).
struct BitSerialKernels;
[[nodiscard]] const BitSerialKernels& select_bitserial(CpuFeatures features) noexcept;
[[nodiscard]] std::string_view kernel_name(const BitSerialKernels& kernels) noexcept;
[[nodiscard]] Isa kernel_isa(const BitSerialKernels& kernels) noexcept;

/// The packed form, private to the family: weights in the kernel's layout, schedule, tables of the border.
struct PackedBitConv;

/// A convolution packed for one kernel: weights in that kernel's layout, coefficients, per-tap sums for the
/// border correction. Built once; immutable and shareable between threads afterwards.
class BitConv {
 public:
  BitConv() = default;
  /// Throws std::bad_alloc. Everything else about the spec is a precondition.
  BitConv(const BitSerialKernels& kernels, const BitConvSpec& spec);

  [[nodiscard]] const ConvShape& shape() const noexcept { return shape_; }
  /// The layout that run() expects of its input.
  [[nodiscard]] const ActivationLayout& input_layout() const noexcept { return input_layout_; }
  [[nodiscard]] std::size_t packed_bytes() const noexcept;
  /// Bytes of scratch, 64-byte aligned, that one running thread needs.
  [[nodiscard]] std::size_t scratch_bytes() const noexcept;
  /// Convolves output rows `rows` (RowRange counts over the batch) and applies `epilogue` to each row.
  /// `epilogues` may be of any ISA: it writes the same bits.
  void run(const PackedActivations& input, RowRange rows, const EpilogueKernels& epilogues,
           const Epilogue& epilogue, std::byte* scratch) const noexcept;
  /// The bare integer accumulators A (UniformBoth; offsets are left out): out[row][pixel][out_channels], the
  /// rows of `rows` only, so out points at the first of them.
  void run_integer(const PackedActivations& input, RowRange rows, std::int32_t* out,
                   std::byte* scratch) const noexcept;

 private:
  const BitSerialKernels* kernels_ = nullptr;
  ConvShape shape_;
  ActivationLayout input_layout_;
  std::shared_ptr<const PackedBitConv> packed_;
};

}  // namespace bitplane::kernels
