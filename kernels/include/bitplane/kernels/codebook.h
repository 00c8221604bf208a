// SPDX-License-Identifier: Apache-2.0
//
// Family `codebook`: float32 convolution and GEMM whose weights are indices into a table of levels, for modes
// that quantize weights only (SLQ's centroids, LQ-Nets W/32, BWN, TWN, TTQ).
//
//     w[o][k] = levels[index[o][k]]             one table per layer
//             = levels[o][index[o][k]]          one table per output channel
//
// The indices stay packed in memory (1, 2, 4 or 8 bits each) and are expanded on the way, block by block,
// into the panels that family `f32` reads. Its arithmetic is therefore that of `f32` on the dequantized
// weights, bit for bit: one chain of fma per output in K-order. A matrix-vector product, which is bound by
// reading weights, reads 4 to 32 times less of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "bitplane/kernels/aligned.h"
#include "bitplane/kernels/conv_shape.h"
#include "bitplane/kernels/f32.h"
#include "bitplane/kernels/isa.h"

namespace bitplane::kernels {

inline constexpr std::size_t kMaxCodebookLevels = 256;

enum class LevelScope : std::uint8_t { Layer, Channel };

/// Pointers are read at construction only.
struct CodebookSpec {
  ConvShape shape{};                      ///< batch, height and width are not looked at
  const std::uint8_t* indices = nullptr;  ///< [out_channels][filter_size()], each below level_count
  const float* levels = nullptr;          ///< [level_count], or [out_channels][level_count]
  std::size_t level_count = 0;            ///< 1 to kMaxCodebookLevels
  LevelScope scope = LevelScope::Layer;
};

/// Some steps of one panel of 16 output channels, to be expanded.
struct CodebookPanel {
  const std::uint8_t* indices = nullptr;  ///< of the first step; a step takes 2 * index_bits bytes
  std::size_t index_bits = 0;             ///< 1, 2, 4 or 8
  const float* levels = nullptr;  ///< Layer: a table of `level_count`; Channel: [level_count][16 channels]
  std::size_t level_count = 0;    ///< 2, 4, 8, 16, 32, 64, 128 or 256
  LevelScope scope = LevelScope::Layer;
  std::size_t steps = 0;
  float* out = nullptr;  ///< [steps][16], 64-byte aligned
};

/// One row of the product (a matrix-vector product) with neighbouring panels: c[n] = chain over t of
/// a[step_offset[t]] * w[t][n]. Expanding into memory first would cost more than the product.
struct CodebookRow {
  CodebookPanel panel{};         ///< the first one, all its steps; `out` is not looked at
  std::size_t index_stride = 0;  ///< from one panel's indices to the next one's, in bytes
  std::size_t level_stride = 0;  ///< from one panel's levels to the next one's, in floats
  const float* a = nullptr;
  const std::ptrdiff_t* step_offset = nullptr;
  float* c = nullptr;
  std::size_t columns = 0;
};
using MultiplyCodebookRow = void (*)(const CodebookRow&) noexcept;

/// Packed indices and the tables beside them; the same layout for every ISA. Immutable.
class CodebookWeights {
 public:
  CodebookWeights() = default;
  /// Throws std::bad_alloc. Everything else about the spec is a precondition.
  explicit CodebookWeights(const CodebookSpec& spec);

  [[nodiscard]] std::size_t groups() const noexcept { return groups_; }
  [[nodiscard]] std::size_t k() const noexcept { return k_; }
  [[nodiscard]] std::size_t group_channels() const noexcept { return group_channels_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return indices_.bytes() + levels_.bytes(); }
  /// Steps [first, first + steps) of panel `panel` of group `group`, without `out`.
  [[nodiscard]] CodebookPanel panel(std::size_t group, std::size_t panel, std::size_t first,
                                    std::size_t steps) const noexcept;
  /// All of a group, without a, step_offset and c.
  [[nodiscard]] CodebookRow row(std::size_t group) const noexcept;

 private:
  void pack_indices(const std::uint8_t* indices) noexcept;
  void lay_out_levels(const CodebookSpec& spec) noexcept;

  std::size_t groups_ = 0, k_ = 0, group_channels_ = 0, panels_ = 0;
  std::size_t index_bits_ = 0, level_count_ = 0;
  LevelScope scope_ = LevelScope::Layer;
  AlignedArray<std::uint8_t> indices_;  ///< [group][panel][k][2 * index_bits]
  AlignedArray<float> levels_;          ///< one table, or [group][panel] tables
};

/// One ISA's kernels.
struct CodebookKernels {
  std::string_view name;
  Isa isa;
  const F32Kernels* f32;  ///< of the same ISA
  void (*expand)(const CodebookPanel&) noexcept;
  /// The form of a single row for panels like this one; null: there is none that beats expanding.
  MultiplyCodebookRow (*row_form)(const CodebookPanel&) noexcept;
};
[[nodiscard]] const CodebookKernels& select_codebook(CpuFeatures features) noexcept;

/// A planned convolution. Takes and gives what F32Conv does, to the same bits as F32Conv on panels of the
/// dequantized weights.
class CodebookConv {
 public:
  CodebookConv() = default;
  explicit CodebookConv(const ConvShape& shape) : conv_(shape) {}  ///< throws std::bad_alloc

  [[nodiscard]] const ConvShape& shape() const noexcept { return conv_.shape(); }
  /// Floats that one running thread needs as scratch, 64-byte aligned.
  [[nodiscard]] std::size_t scratch_floats() const noexcept;
  /// x: [batch][h][w][c]; z: [range][out_w][out_channels], the rows of `rows` only.
  void forward(const CodebookKernels& kernels, const float* x, const CodebookWeights& weights, float* z,
               RowRange rows, float* scratch) const noexcept;

 private:
  F32Conv conv_;
};

}  // namespace bitplane::kernels
