// SPDX-License-Identifier: Apache-2.0
//
// What happens to the accumulators z of a row of output pixels: kinds of one epilogue, shared by every
// family.
//
//   t = fma(z, scale[c], shift[c]) (+ residual)      per channel: BN, bias, group and plane scales, folded at
//                                                    lowering; the residual is one float addition
//   u = fma(t, after.scale[c], after.shift[c])       t itself where there is no `after`: the BN behind a sum
//   Float    out = u, or max(u, 0) if asked
//   Planes   rank = #{l : u > threshold_l}, code = code_of_rank[rank], packed into planes; where `out` is
//            given, the same pass writes t there, or max(t, 0) if asked: residual nets need both
//   Ranks    rank as a byte (max-pooling comes first and acts on ranks)
//
// Ranks compare u itself, not what the activation makes of it: lowering folds a ReLU before the quantizer
// into the thresholds (a negative one becomes -inf), which gives the same ranks.
//
// Where z = float(A) and nothing is added to t, Planes and Ranks may compare the integers themselves
// (IntegerThresholds): t > threshold_l is monotone in A, so lowering finds the equal test on A by bisection.
// That saves the conversion and the affine, and reads a threshold per channel and rank where t compares with
// one number for all channels: even at 1 threshold, slower from 3 on.
//
// A plain float tensor is packed by Planes with scale 1 and shift 0, ranks (of a pooling) by a row that has
// them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "bitplane/kernels/isa.h"
#include "bitplane/kernels/planes.h"

namespace bitplane::kernels {

enum class Activation : std::uint8_t { None, Relu };

struct ChannelAffine {
  const float* scale = nullptr;  ///< [channels]
  const float* shift = nullptr;  ///< [channels]
};

/// A quantizer of activations. Thresholds ascend; -inf is "always passed". code_of_rank has thresholds + 1
/// entries.
struct RankCodes {
  const float* thresholds = nullptr;
  std::size_t count = 0;  ///< number of thresholds, at most 255
  const std::uint8_t* code_of_rank = nullptr;
};

/// rank[c] = #{l : (A ^ flip[c]) > thresholds[l][c]}. flip is 0 or -1: ~A = -1 - A turns the order around
/// where the scale is negative. A channel whose scale is 0 has INT32_MIN (passed: unless A ^ flip is
/// INT32_MIN, which no convolution gives) and INT32_MAX (never).
struct IntegerThresholds {
  const std::int32_t* thresholds = nullptr;  ///< [count][channels], ascending in l; null: compare t
  const std::int32_t* flip = nullptr;        ///< [channels]
};

enum class EpilogueKind : std::uint8_t { Float, Planes, Ranks };

/// Describes a whole tensor; apply() works on one row of it. `residual` and `out_ranks` point at row 0 of the
/// batch, `out` at row `first_row`; they have the row's pixels and channels. Only the fields of its kind are
/// read.
struct Epilogue {
  EpilogueKind kind = EpilogueKind::Float;
  ChannelAffine affine{};                    ///< read where z comes in
  Activation activation = Activation::None;  ///< of out: Float, Planes
  const float* residual = nullptr;           ///< [pixel][channels] or null; null with integers or ranks
  ChannelAffine after{};                     ///< behind the residual, or null; null with integers or ranks
  float* out = nullptr;               ///< [pixel][channels]; Planes: or null; null with integers or ranks
  std::size_t first_row = 0;          ///< of out: rows before it are not applied
  RankCodes ranks{};                  ///< Planes, Ranks
  IntegerThresholds integer{};        ///< Planes, Ranks: instead of affine and ranks.thresholds
  std::uint8_t* out_ranks = nullptr;  ///< Ranks: [pixel][channels]
  std::byte* out_planes = nullptr;    ///< Planes: the whole tensor
  ActivationLayout layout{};          ///< Planes: of out_planes
};

/// The comparisons with the thresholds, made where the accumulators were: bit c % 8 of byte
/// [threshold][pixel][c / 8] says whether channel c of the pixel passes. For up to kMostPassed thresholds and
/// kMostPassedPlanes planes, and groups of whole bytes.
struct PassedThresholds {
  const std::byte* bits = nullptr;
  std::size_t threshold_stride = 0;  ///< bytes from one threshold to the next
};
inline constexpr std::size_t kMostPassed = 15, kMostPassedPlanes = 4;

/// One output row, [pixel][channels], as exactly one of: z; the integers A, if and only if the epilogue has
/// integer thresholds; ranks (Planes only), each at most ranks.count; or passed thresholds (Planes only).
/// Pixels [0, layout.width) of row `row`, counted over the batch.
struct EpilogueRow {
  const float* z = nullptr;
  const std::int32_t* integers = nullptr;
  const std::uint8_t* ranks = nullptr;
  PassedThresholds passed{};
  std::size_t row = 0;
  std::size_t pixels = 0;
  std::size_t channels = 0;
};

/// A window of a float map whose rows may lie in a ring: row r at slot r % slots. Not empty.
struct FloatWindow {
  const float* data = nullptr;  ///< [slot][pixel][channels]
  std::size_t slots = 1, row_floats = 0, channels = 0;
  std::size_t row_begin = 0, row_end = 0, column_begin = 0, column_end = 0;
};

/// One ISA's epilogues and the element-wise steps between them. All of them write the same bits on every ISA.
struct EpilogueKernels {
  std::string_view name;
  Isa isa;
  /// Applies to one whole row of the picture; pad bits of the planes written are zero.
  void (*apply)(const Epilogue&, const EpilogueRow&) noexcept;
  /// maxima[channel], row after row from the first pixel on: `x > best ? x : best`.
  void (*max_window)(const FloatWindow&, float* maxima) noexcept;
};
[[nodiscard]] const EpilogueKernels& select_epilogue(CpuFeatures features) noexcept;

}  // namespace bitplane::kernels
