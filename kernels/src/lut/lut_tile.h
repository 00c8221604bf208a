// SPDX-License-Identifier: Apache-2.0
//
// What the look-up micro-kernels compute, and the layouts that they share with the packing. Plain data only:
// this header is included by the files that are compiled with -m flags.
//
// A *group* is kGroupBits consecutive elements of a window. The group's bits of one weight plane are an index
// into the table of the partial sums of the group's activation values,
//
//     table[index] = sum_k index_k * a(k),    a(k) = sum_j n_j b_j(k),    at most kGroupBits * sum_j n_j
//
// so one byte shuffle and one byte addition serve kGroupBits weights of as many output channels as a register
// has bytes, whatever the number of activation planes. Bytes are widened to 16 bits before they overflow.
//
// Nobody stores those tables: the bits of a group in two activation planes are a *code*, and the table is put
// together from *parts*, made once per layer for every code (part_tables.h), one part per pair of planes.
//
// A *register* is one weight plane of kLanes output channels (a block). A *unit* is the registers that are
// finished together: all planes of one block, or of as many blocks as fit the largest tile. A micro-kernel
// runs 4, 2 or 1 registers of a unit on a few pixels.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bitplane/kernels/registry.h"

namespace bitplane::kernels {

inline constexpr std::size_t kMaxLutParts = 2, kLutRegisterSizes = 3, kMaxLutPixelSizes = 4;

/// The place of 1, 2 and 4 registers in the lists of kernels.
constexpr std::size_t lut_register_size(std::size_t registers) noexcept {
  return registers == 4 ? 2 : registers - 1;
}

/// Operands of a tile of registers x pixels.
struct LutTile {
  const std::uint8_t* indices = nullptr;  ///< [step][register][lane]; a step is the groups of one index byte
  const std::uint16_t* codes = nullptr;   ///< [pixel][part][group]
  std::size_t pixel_stride = 0;           ///< codes from one pixel to the next
  std::size_t part_stride = 0;            ///< codes from one part to the next
  const std::uint8_t* tables = nullptr;   ///< [part][layout.part_bytes]
  std::size_t groups = 0;                 ///< a multiple of layout.unit_groups[parts - 1]
  std::size_t widen_every = 0;            ///< groups, likewise: their sums fit a byte
  std::uint16_t* sums = nullptr;          ///< out: [pixel][register][channel of the block]
  std::size_t sum_stride = 0;             ///< from one pixel to the next
};
using LutTileFunction = void (*)(const LutTile&) noexcept;

/// One window to encode. Planes are whole 64-bit words, pad bits zero.
struct LutWindow {
  const std::byte* bits = nullptr;  ///< [plane] at plane_stride: [word]
  std::size_t plane_stride = 0, planes = 0, words = 0;
  std::uint16_t* codes = nullptr;  ///< out: [part][group]
  std::size_t part_stride = 0;
};

/// Combines the sums of a unit's planes on a few pixels: A = start + sum_i factor_i * sums_i. Whole blocks
/// are read, whatever the number of channels.
struct LutFinish {
  const std::uint16_t* sums = nullptr;  ///< [pixel][block][plane][channel of the block]
  std::size_t planes = 0, pixels = 0;
  std::size_t channels = 0;                   ///< valid ones of the unit; nothing is written beyond them
  const std::int32_t* factors = nullptr;      ///< [plane]
  const std::int32_t* pixel_terms = nullptr;  ///< [pixel]: where A starts, unless
  const std::int32_t* before = nullptr;       ///< [pixel][block][channel of the block] is not null
  float* z = nullptr;                         ///< [pixel] at out_stride: [channel]; null: integers are wanted
  std::int32_t* integers = nullptr;           ///< likewise
  std::size_t out_stride = 0;
};

/// The windows of `lanes` pixels, one plane of them, to indices: a transposition of bytes (groups of 4 only).
struct LutIndexing {
  const std::byte* rows = nullptr;  ///< [pixel] at row_stride: [word]; 8 bytes behind the last may be read
  std::size_t row_stride = 0, words = 0, steps = 0;
  std::uint8_t* indices = nullptr;  ///< out: [step] at index_stride: [pixel, in the order of the lanes]
  std::size_t index_stride = 0;
};

/// As LutFinish, where channels are the rows of the tiles and pixels the lanes: out[pixel][channel].
struct LutTransposedFinish {
  const std::uint16_t* sums = nullptr;  ///< [channel] at sum_stride: [block of pixels][plane][pixel]
  std::size_t sum_stride = 0, planes = 0;
  std::size_t pixels = 0, channels = 0;       ///< valid ones; at most transposed_channels
  const std::int32_t* factors = nullptr;      ///< [plane]
  const std::int32_t* pixel_terms = nullptr;  ///< [pixel, whole blocks]
  float* z = nullptr;                         ///< [pixel] at out_stride: [channel]; null: integers are wanted
  std::int32_t* integers = nullptr;           ///< likewise
  std::size_t out_stride = 0;
};

/// What an ISA's registers make of the family's layouts.
struct LutLayout {
  std::size_t lanes = 0;                       ///< channels of a block
  std::size_t group_bits = 0;                  ///< 4 or 6; two groups share an index byte if 4
  std::size_t part_bytes = 0;                  ///< of the tables of one part
  std::size_t unit_groups[kMaxLutParts] = {};  ///< [parts - 1]: groups that the inner loop takes at a time

  std::size_t tile_registers = 0;  ///< of the largest tile: 4 or 2

  [[nodiscard]] constexpr std::size_t groups_per_byte() const noexcept { return group_bits == 4 ? 2 : 1; }
  /// Registers of the next tile when `left` are left: the largest of 4, 2 and 1 there is.
  [[nodiscard]] constexpr std::size_t next_tile(std::size_t left) const noexcept {
    return left >= tile_registers ? tile_registers : left >= 2 ? 2 : 1;
  }
};
/// PSHUFB, 16 sums, a table for each of the 256 codes of 4 elements in two planes.
constexpr LutLayout kLutLayoutAvx2{
    .lanes = 32, .group_bits = 4, .part_bytes = 256 * 16, .unit_groups = {2, 2}, .tile_registers = 2};
/// TBL, the same tables.
constexpr LutLayout kLutLayoutNeon{
    .lanes = 16, .group_bits = 4, .part_bytes = 256 * 16, .unit_groups = {2, 2}, .tile_registers = 2};
/// VPERMB, 64 sums, a high and a low half for each of the 64 codes of 3 elements in two planes.
constexpr LutLayout kLutLayoutAvx512{
    .lanes = 64, .group_bits = 6, .part_bytes = 64 * 64 + 64 * 8, .unit_groups = {4, 2}, .tile_registers = 4};

/// One ISA's kernels.
struct LutKernels {
  KernelInfo info;
  LutLayout layout;
  std::size_t pixel_sizes[kLutRegisterSizes]
                         [kMaxLutPixelSizes];  ///< [register size]: descending, down to 1; unused entries 0
  LutTileFunction run_tile[kMaxLutParts][kLutRegisterSizes][kMaxLutPixelSizes];
  /// Writes the codes of words * 64 / group_bits groups, rounded up, and of at most 31 behind them.
  void (*encode)(const LutWindow&) noexcept;
  /// sum_j multiples[j] * (bits set in plane j): the sum of the window's values.
  std::int32_t (*sum_window)(const LutWindow&, const std::int32_t* multiples) noexcept;
  void (*finish)(const LutFinish&) noexcept;
  /// The role of weights as tables; 0 and null: not offered.
  std::size_t transposed_channels;
  void (*index_windows)(const LutIndexing&) noexcept;
  void (*finish_transposed)(const LutTransposedFinish&) noexcept;
};

extern const LutKernels kLutAvx2;
extern const LutKernels kLutAvx512;
extern const LutKernels kLutNeon;

}  // namespace bitplane::kernels
