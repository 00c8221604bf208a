// SPDX-License-Identifier: Apache-2.0
//
// Convolutions with few channels, with output pixels in the lanes of a register and not channels: what their
// kernels compute. Plain data only: this header is included by the files that are compiled with -m flags.
//
// A *band* is some output rows of one picture, and the input rows that they read, copied with their padding
// behind one another: a row takes `pitch` = width + pad_w *positions*, so that the zeros behind one row are
// those in front of the next. The output pixel (y, x) is position y * pitch + x, and reads tap (ky, kx) at a
// position that is ky * dilation_h * pitch + kx * dilation_w further on, whatever y and x. Neighbours in
// memory are neighbours in lanes: no window is gathered, and no channel of padding is counted. What comes out
// at positions that are no pixels (pitch - out_width per row) is dropped.
//
// Two methods, for uniform codes and unsigned activations:
//
//   Counted   AND or XOR with a weight word that is the same in all lanes, popcount of 16, 32 or 64 bits,
//             add. Bipolar weights by XOR, as in bitserial/tile.h: 2 P - S = R - X.
//   Tables    For every position and 4 channels the 16 sums of their values are worked out once, a byte
//             each, and serve all taps and all output channels: a weight's 4 bits choose the table, one
//             addition of bytes is all that is left of 4 multiplications in each lane.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bitplane/kernels/epilogue.h"
#include "bitplane/kernels/registry.h"

namespace bitplane::kernels {

enum class LaneMethod : std::uint8_t { Counted, Tables };
enum class LanePairOp : std::uint8_t { And, Xor };

/// A constant of a channel as all lanes take it, in one load: 16 bits, twice for lanes of 16 bits, else with
/// their sign.
using LaneWord = std::int32_t;

/// The codes of the next layer instead of sums, where a granule has a bit for each output channel:
/// rank = #{l : (sum ^ flip[c]) > thresholds[l][c]}, code = first ^ flips[0] ^ .. ^ flips[rank - 1], and bit
/// c of granule [plane b][position] is bit b of it.
struct LaneCodes {
  std::byte* planes = nullptr;   ///< [plane] at plane_stride: a granule per position; null: sums are wanted
  std::size_t plane_stride = 0;  ///< bytes
  std::size_t plane_count = 0, threshold_count = 0;  ///< up to kMostPassedPlanes, kMostPassed
  const LaneWord* thresholds = nullptr;              ///< [threshold][channel], ascending
  const LaneWord* flip = nullptr;                    ///< [channel]
  std::uint8_t first = 0;                            ///< the code of rank 0
  const std::uint8_t* flips = nullptr;               ///< [threshold]
};

/// One group of a band. The sums are exact modulo 2^16, and the results fit 16 bits.
struct LaneBand {
  const std::byte* planes = nullptr;  ///< [activation plane] at plane_stride: a granule per position
  std::size_t plane_stride = 0, activation_planes = 0, weight_planes = 0;
  std::size_t positions = 0;                     ///< to compute: whole registers
  std::size_t channels = 0;                      ///< output channels of the group, padded to the tile
  const std::uint32_t* tap_positions = nullptr;  ///< [tap]
  std::size_t taps = 0;
  std::int16_t* sums = nullptr;  ///< out: [channel] at sum_stride: [position]
  std::size_t sum_stride = 0;
  LaneCodes codes{};  ///< out instead of sums

  /// Counted: total = start + sum_ij factor_ij C_ij.
  LanePairOp op = LanePairOp::And;
  const std::byte* words = nullptr;       ///< [channel / 4][weight plane][tap][4]: granules, 16 bits twice
  const LaneWord* starts = nullptr;       ///< [channel]
  const std::int16_t* factors = nullptr;  ///< [weight plane][activation plane]

  /// Tables: total = sum_factor S + sum_i plane_factor_i P_i, S and P_i being sums of bytes.
  const std::uint16_t* look_ups = nullptr;      ///< [weight plane][channel][look-up]: bytes from `tables` on
  const std::uint16_t* sum_look_ups = nullptr;  ///< [look-up]: those of S, all bits set
  std::size_t look_up_count = 0, widen_every = 0;
  std::size_t quads = 0;                     ///< groups of 4 input channels
  const std::uint8_t* bit_values = nullptr;  ///< [activation plane][4][16]: n_j if bit b of the nibble is set
  const std::int16_t* plane_factors = nullptr;  ///< [weight plane]
  std::int16_t sum_factor = 0;
  std::uint8_t* tables = nullptr;  ///< scratch: [quad][16] at table_stride: [position]
  std::size_t table_stride = 0;    ///< whole registers
};

/// One row of a band's sums to [pixel][channel]: as floats, or as integers if z is null. Up to 15 sums behind
/// the last pixel and 7 channels behind the last one are read.
struct LaneTransposition {
  const std::int16_t* sums = nullptr;  ///< [channel] at sum_stride: [pixel]
  std::size_t sum_stride = 0;
  std::size_t pixels = 0, channels = 0;
  float* z = nullptr;
  std::int32_t* integers = nullptr;
  std::size_t out_stride = 0;  ///< from one pixel to the next
};

inline constexpr std::size_t kLaneGranules = 3;     ///< 16, 32 and 64 bits
inline constexpr std::size_t kLanePlanes = 4;       ///< activation planes at most
inline constexpr std::size_t kLaneChannelTile = 4;  ///< of Counted

struct LaneKernels {
  KernelInfo info;
  LaneMethod method;
  std::size_t register_bytes;  ///< Counted: of granules; Tables: of positions
  std::size_t code_bytes;      ///< granules of up to so many bytes are compared in lanes
  void (*run[kLaneGranules])(const LaneBand&) noexcept;
  void (*transpose)(const LaneTransposition&) noexcept;
};

#ifdef BITPLANE_HAVE_AVX2
extern const LaneKernels kLaneTablesAvx2;
#endif
#ifdef BITPLANE_HAVE_AVX512
extern const LaneKernels kLaneCountsAvx512;
#endif

}  // namespace bitplane::kernels
