// SPDX-License-Identifier: Apache-2.0
#include "lut/part_tables.h"

#include <algorithm>
#include <bit>
#include <cstdlib>

namespace bitplane::kernels {
namespace {

/// Sum of the values that `index` selects, of `bits` elements whose planes' bits stand side by side in
/// `code`.
std::uint8_t selected_sum(std::size_t code, std::size_t bits, std::size_t index,
                          std::span<const std::int32_t> multiples) {
  std::int32_t sum = 0;
  for (std::size_t j = 0; j < multiples.size(); ++j) {
    sum += std::abs(multiples[j]) * std::popcount(static_cast<unsigned>((code >> (j * bits)) & index));
  }
  return static_cast<std::uint8_t>(sum);
}

/// The tables of one pair of planes, for every code: of 16 sums (groups of 4), or of the high and behind them
/// the low halves of 64 sums (groups of 6: a table of its own for each of 4096 codes would not fit the first
/// cache).
void fill_part(std::size_t group_bits, std::span<const std::int32_t> multiples, std::uint8_t* part) {
  const std::size_t bits = group_bits == 4 ? 4 : 3, entries = std::size_t{1} << group_bits;
  const std::size_t codes = std::size_t{1} << (2 * bits);
  const std::size_t mask = (std::size_t{1} << bits) - 1;
  for (std::size_t code = 0; code < codes; ++code) {
    for (std::size_t i = 0; i < entries; ++i) {
      const std::size_t index = group_bits == 4 ? i : i >> bits;
      part[code * entries + i] = selected_sum(code, bits, index & mask, multiples);
    }
    for (std::size_t i = 0; group_bits != 4 && i <= mask; ++i) {
      part[codes * entries + code * (mask + 1) + i] = selected_sum(code, bits, i, multiples);
    }
  }
}

/// The largest entry of a table: all bits of a group set in all planes.
std::uint64_t largest_entry(const LutLayout& lut, std::span<const std::int32_t> multiples) {
  std::uint64_t sum = 0;
  for (const std::int64_t multiple : multiples) sum += static_cast<std::uint64_t>(std::abs(multiple));
  return std::max<std::uint64_t>(1, sum) * lut.group_bits;
}

std::size_t whole_units(const LutLayout& lut, std::span<const std::int32_t> multiples, std::uint64_t groups) {
  const std::size_t unit = lut.unit_groups[lut_parts(multiples.size()) - 1];
  return static_cast<std::size_t>(groups) / unit * unit;
}

}  // namespace

std::size_t lut_widen_every(const LutLayout& lut, std::span<const std::int32_t> multiples) noexcept {
  return whole_units(lut, multiples, 255 / largest_entry(lut, multiples));
}

std::size_t lut_chunk_groups(const LutLayout& lut, std::span<const std::int32_t> multiples) noexcept {
  return whole_units(lut, multiples, 65535 / largest_entry(lut, multiples));
}

AlignedArray<std::uint8_t> make_part_tables(const LutLayout& lut, std::span<const std::int32_t> multiples) {
  const std::size_t parts = lut_parts(multiples.size());
  AlignedArray<std::uint8_t> tables(parts * lut.part_bytes);
  for (std::size_t part = 0; part < parts; ++part) {
    const std::size_t planes = std::min<std::size_t>(2, multiples.size() - 2 * part);
    fill_part(lut.group_bits, multiples.subspan(2 * part, planes), tables.data() + part * lut.part_bytes);
  }
  return tables;
}

}  // namespace bitplane::kernels
