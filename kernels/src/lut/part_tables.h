// SPDX-License-Identifier: Apache-2.0
//
// The parts that the tables of a layer are put together from (lut_tile.h), and how far sums of their entries
// fit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "bitplane/kernels/aligned.h"
#include "lut/lut_tile.h"

namespace bitplane::kernels {

/// Pairs of planes.
[[nodiscard]] constexpr std::size_t lut_parts(std::size_t planes) noexcept {
  return (planes + 1) / 2;
}
/// How many groups' sums fit a byte; 0 if not even those that the inner loop takes at a time. `multiples` of
/// at most 2 * kMaxLutParts planes; what they are multiplied by is their magnitude.
[[nodiscard]] std::size_t lut_widen_every(const LutLayout& lut,
                                          std::span<const std::int32_t> multiples) noexcept;
/// How many groups' sums fit 16 bits.
[[nodiscard]] std::size_t lut_chunk_groups(const LutLayout& lut,
                                           std::span<const std::int32_t> multiples) noexcept;
/// [part][layout.part_bytes]. Throws std::bad_alloc.
[[nodiscard]] AlignedArray<std::uint8_t> make_part_tables(const LutLayout& lut,
                                                          std::span<const std::int32_t> multiples);

}  // namespace bitplane::kernels
