// SPDX-License-Identifier: Apache-2.0
//
// Family `f32`: float32 GEMM and convolution for first and last layers and for the trainer's large products.
//
// One micro-kernel serves all of it. Its left operand is *gathered*:
//
//     c[r][n] = (accumulate ? c[r][n] : 0) + sum over t of  a[row_offset[r] + step_offset[t]] * b[t][n]
//
//   forward convolution   r = output pixel, t = (kh, kw, c) of the filter, b = weights   [K][out]
//   weight gradient       r = (kh, kw, c),  t = output pixel,              b = output gradient [pixels][out]
//   data gradient         a convolution of the output gradient with turned weights
//   GEMM, A or A^T        row_offset = r * lda or r, step_offset = t or t * lda
//
// so no im2col copy exists. Normative arithmetic: every output is ONE chain of fma in the order of t,
// starting from +0 (or from c); vectors run over n, never over t. Hence the same bits on every ISA, and
// cutting the steps into blocks that continue from c changes nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "bitplane/kernels/aligned.h"
#include "bitplane/kernels/conv_shape.h"
#include "bitplane/kernels/isa.h"

namespace bitplane::kernels {

enum class Accumulate : std::uint8_t { Overwrite, Add };

/// Columns of one panel of the right operand; b is a list of panels [k][kF32PanelWidth], or plain row-major.
inline constexpr std::size_t kF32PanelWidth = 16;

/// The right operand, packed: [ceil(n / 16)][k][16] floats, the last panel's missing columns zero.
class F32Panels {
 public:
  F32Panels() = default;
  F32Panels(std::size_t k, std::size_t n);
  [[nodiscard]] std::size_t k() const noexcept { return k_; }
  [[nodiscard]] std::size_t n() const noexcept { return n_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return data_.bytes(); }
  [[nodiscard]] const float* data() const noexcept { return data_.data(); }
  [[nodiscard]] float* data() noexcept { return data_.data(); }

 private:
  std::size_t k_ = 0, n_ = 0;
  AlignedArray<float> data_;
};

/// Packs element (t, n) = source[t * step_stride + n * column_stride]. Source [out][K]: strides 1 and K.
/// Writes every element of `panels`, so panels can be refilled (the trainer does so each step).
void pack_f32_panels(const float* source, std::size_t step_stride, std::size_t column_stride,
                     F32Panels& panels) noexcept;

/// The same for one panel: columns [16 * panel, 16 * panel + 16).
struct F32PanelSource {
  const float* data = nullptr;
  std::size_t step_stride = 0, column_stride = 0;
};
void pack_f32_panel(const F32PanelSource& source, std::size_t panel, F32Panels& panels) noexcept;

/// One step of a product that skips rows of b, in floats: c[r][n] += a[row_offset[r] + a] * b[b + n's place].
struct GatherStep {
  std::int32_t a = 0, b = 0;
};

/// One gathered product. b_row_stride and b_panel_stride are in floats: for F32Panels 16 and k * 16; for
/// plain row-major b they are ldb and 16. Nothing beyond column `columns` of b or c is read or written when b
/// is row-major; packed panels are read whole.
struct GatherGemm {
  const float* a = nullptr;
  const std::ptrdiff_t* row_offset = nullptr;  ///< [rows], in floats
  std::size_t rows = 0;
  const std::ptrdiff_t* step_offset = nullptr;  ///< [steps], in floats
  std::size_t steps = 0;
  const float* b = nullptr;
  std::size_t b_row_stride = 0, b_panel_stride = 0;
  std::size_t columns = 0;
  float* c = nullptr;  ///< [rows][columns]
  std::size_t c_row_stride = 0;
  Accumulate accumulate = Accumulate::Overwrite;
  const GatherStep* step_pairs = nullptr;        ///< [steps], instead of step_offset and b_row_stride
  const std::ptrdiff_t* c_row_offset = nullptr;  ///< [rows], in floats, instead of c_row_stride
};

/// One ISA's f32 kernels.
struct F32Kernels {
  std::string_view name;  ///< e.g. "f32_gather_6x64_avx512"
  Isa isa;
  void (*gather_gemm)(const GatherGemm&) noexcept;
};

/// The kernels for the best ISA in `features`. Pure.
[[nodiscard]] const F32Kernels& select_f32(CpuFeatures features) noexcept;

/// A planned float convolution: offset tables made once, run many times without allocation.
/// Forward: z[pixel][o] = chain over (kh, kw, c) of x * w, padded pixels entering as zeros.
class F32Conv {
 public:
  F32Conv() = default;
  explicit F32Conv(const ConvShape& shape);  ///< throws std::bad_alloc

  [[nodiscard]] const ConvShape& shape() const noexcept { return shape_; }
  /// Floats that one running thread needs as scratch (a zero-padded copy of one picture; 0 without padding).
  [[nodiscard]] std::size_t scratch_floats() const noexcept;
  /// x: [batch][h][w][c]; weights: for each group, panels of k = filter_size(), n = out_channels / groups;
  /// z: [range][out_w][out_channels], the rows of `rows` only, so z points at the first of them.
  void forward(const F32Kernels& kernels, const float* x, const F32Panels* group_weights, float* z,
               RowRange rows, float* scratch) const noexcept;
  /// What forward() does, for families that bring the right operand themselves: the first picture's share of
  /// `rows`, with what it reads of `x` padded into `scratch`. `gemm` is the product of group 0 without b and
  /// c; group g starts g * channels / groups floats further in a.
  struct PictureRows {
    GatherGemm gemm{};
    std::size_t rows = 0;  ///< of `rows`, from its begin on
  };
  [[nodiscard]] PictureRows picture_rows(const float* x, RowRange rows, float* scratch) const noexcept;

 private:
  ConvShape shape_;
  std::size_t padded_height_ = 0, padded_width_ = 0;
  AlignedArray<std::ptrdiff_t> pixel_offset_;   ///< [out_h * out_w], into the padded picture
  AlignedArray<std::ptrdiff_t> filter_offset_;  ///< [filter_size()]
};

enum class Transpose : std::uint8_t { No, Yes };
/// c[m][n] = op(a) * op(b) (+ c), row-major. Allocates nothing: offset tables and a packed transposed b live
/// in the caller's scratch.
struct F32Gemm {
  std::size_t m = 0, n = 0, k = 0;
  const float* a = nullptr;
  std::size_t lda = 0;
  Transpose transpose_a = Transpose::No;
  const float* b = nullptr;
  std::size_t ldb = 0;
  Transpose transpose_b = Transpose::No;
  float* c = nullptr;
  std::size_t ldc = 0;
  Accumulate accumulate = Accumulate::Overwrite;
};
[[nodiscard]] std::size_t gemm_f32_scratch_bytes(const F32Gemm& gemm) noexcept;
/// `scratch` is aligned to 64 bytes.
void gemm_f32(const F32Kernels& kernels, const F32Gemm& gemm, std::byte* scratch) noexcept;

}  // namespace bitplane::kernels
