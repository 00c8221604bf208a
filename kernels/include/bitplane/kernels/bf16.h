// SPDX-License-Identifier: Apache-2.0
//
// Family `bf16`: the trainer's large products with operands of 8 significant bits and float32 sums, on CPUs
// whose instructions multiply pairs of such numbers. Operands come as float32 and are rounded to bf16 when
// they are packed, results are float32.
//
// Arithmetic, all of it round-to-nearest-even with denormals read and written as zeros of their sign:
//
//   operands   bf16(x): x rounded to 8 significant bits; NaN stays NaN (quiet), denormal floats become zero
//   VDPBF16PS  steps in pairs (t, t + 1), t even:  c = fma(a[t+1], b[t+1], c), then c = fma(a[t], b[t], c)
//   TDPBF16PS  steps in blocks of 32: even = the chain of fma over a[t] * b[t], t even, from +0; odd = the
//              same over the odd ones; c = c + (even + odd)
//
// Sums start from +0, or from what c holds. Steps that are missing to a whole pair or block are zeros times
// zeros or numbers; what follows an operand in memory may be among these numbers, so that an infinity or NaN
// in the left operand may make more outputs NaN than its own. The order of the steps:
//
//   GEMM, forward, data gradient   (kernel row, kernel column, channel); each kernel row begins a new pair or
//                                  block (each tap, where the kernel is dilated)
//   weight gradient                output pixels, picture by picture, weight_gradient_group() pictures in one
//                                  product; either each output row begins a new pair or block, or the pixels
//                                  of a product are one run on a grid with gaps, whose steps are zeros: rows
//                                  of out_w + dilation_w (kernel_w - 1) / stride_w positions, pictures of
//                                  out_h + dilation_h (kernel_h - 1) / stride_h rows. The run, if that of a
//                                  whole group takes no more pairs or blocks.
//
// The two instructions give different bits; each gives the same on every CPU and for any number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "bitplane/kernels/conv_shape.h"
#include "bitplane/kernels/f32.h"
#include "bitplane/kernels/isa.h"

namespace bitplane::kernels {

/// One ISA's bf16 kernels (opaque to callers; the registry lists them).
struct Bf16Kernels;
/// The best of `features`; null where there is none.
[[nodiscard]] const Bf16Kernels* select_bf16(CpuFeatures features) noexcept;
[[nodiscard]] std::string_view kernel_name(const Bf16Kernels& kernels) noexcept;

/// How element (step t, column n) of a right operand lies in memory.
enum class Bf16Order : std::uint8_t {
  StepMajor,    ///< [steps][columns]
  ColumnMajor,  ///< [columns][steps]: weights as [out][K]
};

/// A planned convolution of float32 pictures [batch][h][w][c] without groups: immutable, shareable between
/// threads, runs without allocation. Scratch is aligned to 64 bytes, one per running thread; its contents
/// need not be kept.
class Bf16Conv {
 public:
  /// Throws std::bad_alloc. shape.groups == 1 is a precondition.
  Bf16Conv(const Bf16Kernels& kernels, const ConvShape& shape);

  [[nodiscard]] const ConvShape& shape() const noexcept;

  [[nodiscard]] std::size_t packed_weight_bytes() const noexcept;
  /// Weights of filter_size() steps and out_channels columns into `packed`, aligned to 64 bytes.
  void pack_weights(const float* weights, Bf16Order order, std::byte* packed) const noexcept;
  [[nodiscard]] std::size_t forward_scratch_bytes() const noexcept;
  /// z points at the first of `rows`, whose outputs are written: [range][out_w][out_channels].
  void forward(const float* x, const std::byte* packed_weights, float* z, RowRange rows,
               std::byte* scratch) const noexcept;

  [[nodiscard]] std::size_t weight_gradient_scratch_bytes() const noexcept;
  /// Pictures that one product goes over.
  [[nodiscard]] std::size_t weight_gradient_group() const noexcept;
  /// dw[k][o] (+)= sum over the output pixels of pictures [first, last) of x * dz. dw: [filter_size()][out].
  void weight_gradient(const float* x, const float* dz, float* dw, std::size_t first, std::size_t last,
                       Accumulate accumulate, std::byte* scratch) const noexcept;

 private:
  struct Plan;
  std::shared_ptr<const Plan> plan_;
};

/// The product that F32Gemm describes. Allocates nothing.
[[nodiscard]] std::size_t gemm_bf16_scratch_bytes(const Bf16Kernels& kernels, const F32Gemm& gemm) noexcept;
/// `scratch` is aligned to 64 bytes.
void gemm_bf16(const Bf16Kernels& kernels, const F32Gemm& gemm, std::byte* scratch) noexcept;

}  // namespace bitplane::kernels
