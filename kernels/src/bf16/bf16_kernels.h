// SPDX-License-Identifier: Apache-2.0
//
// What the kernels of family `bf16` compute. Plain data only: this header is included by the files that are
// compiled with -m flags.
//
// The products are panels of family `dot` (dot/panel.h), whose steps of four bytes are here pairs of bf16:
// rows of the left operand are its pixels, and `start`, where it is given, holds zeros.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dot/panel.h"

namespace bitplane::kernels {

/// Columns of one register of a block.
inline constexpr std::size_t kBf16Lanes = 16;
inline constexpr std::size_t kMaxBf16Registers = 4;

struct Bf16Kernels {
  KernelInfo info;
  std::size_t registers;      ///< of a block of columns, at most
  std::size_t segment_steps;  ///< runs are filled up to a multiple of it
  std::size_t slack_rows;     ///< rows that may be read behind the last one
  std::size_t chunk_steps;    ///< at most, while all rows of a block pass by; a multiple of segment_steps
  std::size_t row_block;      ///< rows of one panel, at most kMaxBf16Rows
  void (*run_panel[kMaxBf16Registers])(const DotPanel&) noexcept;  ///< [registers - 1]
  /// to[i] = bf16(from[i])
  void (*round_row)(const float* from, std::size_t count, std::uint16_t* to) noexcept;
  /// to[i] = bf16(even[i]) | bf16(odd[i]) << 16, null rows being zeros; filled up with zeros to a multiple of
  /// kBf16Lanes.
  void (*pair_rows)(const float* even, const float* odd, std::size_t count, std::uint32_t* to) noexcept;
  /// to[column * row_bytes + 2 * i] = bf16(rows[i][column]) for i < elements <= kBf16TransposeRows, null rows
  /// being zeros.
  void (*transpose)(const float* const* rows, std::size_t elements, std::size_t columns, std::byte* to,
                    std::size_t row_bytes) noexcept;
  void (*begin)() noexcept;  ///< before the first panel on a thread, and end after the last; or null
  void (*end)() noexcept;
};
inline constexpr std::size_t kMaxBf16Rows = 512, kBf16TransposeRows = 32;

extern const Bf16Kernels kBf16Avx512Bf16;
extern const Bf16Kernels kBf16Amx;

}  // namespace bitplane::kernels
