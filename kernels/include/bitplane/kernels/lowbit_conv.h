// SPDX-License-Identifier: Apache-2.0
//
// A convolution (or GEMM, or matrix-vector product) of quantized tensors: what it means, and the one
// interface of all the families that compute it from packed planes.
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
#include <optional>
#include <span>

#include "bitplane/kernels/conv_shape.h"
#include "bitplane/kernels/epilogue.h"
#include "bitplane/kernels/isa.h"
#include "bitplane/kernels/planes.h"
#include "bitplane/kernels/registry.h"

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

/// A convolution packed for one kernel: weights in that kernel's layout and whatever else is computed once.
/// Immutable and shareable between threads. Every family reads the same packed planes and writes the same
/// bits.
class LowBitConv {
 public:
  virtual ~LowBitConv() = default;

  [[nodiscard]] const ConvShape& shape() const noexcept { return shape_; }
  /// The layout that run() expects of its input.
  [[nodiscard]] const ActivationLayout& input_layout() const noexcept { return input_layout_; }
  [[nodiscard]] virtual std::size_t packed_bytes() const noexcept = 0;
  /// Bytes of scratch, 64-byte aligned, that one running thread needs.
  [[nodiscard]] virtual std::size_t scratch_bytes() const noexcept = 0;
  /// Convolves output rows `rows` (RowRange counts over the batch) and applies `epilogue` to each row.
  /// `epilogues` may be of any ISA: it writes the same bits.
  virtual void run(const PackedActivations& input, RowRange rows, const EpilogueKernels& epilogues,
                   const Epilogue& epilogue, std::byte* scratch) const noexcept = 0;
  /// For planes of layout `out`: is Epilogue::integer sooner done than the same thresholds on t? (Where
  /// nothing is added to t.) With one threshold it is: no conversion and no affine. With more, thresholds per
  /// channel are more to read than one for all channels (a 3x3 layer of 64 channels, 56x56, 1/2 with its
  /// epilogue, AVX-512: 275 us against 262), except where pixels are in the lanes.
  [[nodiscard]] virtual bool prefers_integers(const RankCodes& ranks,
                                              const ActivationLayout& out) const noexcept;
  /// The bare integer accumulators A (UniformBoth; offsets are left out): out[row][pixel][out_channels], the
  /// rows of `rows` only, so out points at the first of them.
  virtual void run_integer(const PackedActivations& input, RowRange rows, std::int32_t* out,
                           std::byte* scratch) const noexcept = 0;

 protected:
  LowBitConv() = default;
  explicit LowBitConv(const BitConvSpec& spec);
  LowBitConv(const LowBitConv&) = default;
  LowBitConv& operator=(const LowBitConv&) = default;

 private:
  ConvShape shape_;
  ActivationLayout input_layout_;
};

/// One registered kernel of a family that can run low-bit convolutions.
struct LowBitKernel {
  KernelInfo info;
  /// Can it run this convolution? Pure; reads the multiples, not the weights.
  bool (*supports)(const BitConvSpec&) noexcept;
  /// Estimated nanoseconds of one thread for the whole batch of spec.shape, windows and epilogue included;
  /// only ratios between kernels of one ISA level matter. Pure; reads no weights.
  double (*cost)(const BitConvSpec&) noexcept;
  /// Throws std::bad_alloc. The spec is supported.
  std::unique_ptr<const LowBitConv> (*make)(const BitConvSpec&);
};

/// Every one that was built: the families in order, each in the order of kIsas.
[[nodiscard]] std::span<const LowBitKernel* const> lowbit_kernels() noexcept;
/// Their families, each once.
[[nodiscard]] std::span<const Family> lowbit_families() noexcept;
/// Of which kernels to choose one.
struct LowBitWishes {
  CpuFeatures features;
  std::optional<Family> family;  ///< this one wherever it supports the convolution; none: all
};
/// Those of lowbit_kernels() that may run the convolution: of the wished family, or of all if that has none
/// for it.
[[nodiscard]] bool may_run(const LowBitKernel& kernel, const LowBitWishes& wishes,
                           const BitConvSpec& spec) noexcept;
/// The cheapest of them by cost; there is always one. Pure.
[[nodiscard]] const LowBitKernel& select_lowbit(const LowBitWishes& wishes, const BitConvSpec& spec) noexcept;

}  // namespace bitplane::kernels
