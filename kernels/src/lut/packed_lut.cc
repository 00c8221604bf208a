// SPDX-License-Identifier: Apache-2.0
#include "lut/packed_lut.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <numeric>
#include <span>

#include "bitserial/gather.h"

namespace bitplane::kernels {
namespace {

// Enough pixels to read the indices rarely, few enough for windows and codes to stay in the second-level
// cache.
constexpr std::size_t kStripPixels = 48, kStripBytes = 192 * 1024, kLargestTile = 8;

constexpr std::size_t round_up(std::size_t value, std::size_t to) {
  return (value + to - 1) / to * to;
}

void plan_strip(const ConvShape& shape, std::size_t pixel_bytes, PackedLutConv& packed) {
  packed.strip_rows = (kStripPixels + shape.out_width() - 1) / shape.out_width();
  const std::size_t pixels = std::clamp(kStripBytes / pixel_bytes, kLargestTile, kStripPixels);
  packed.strip_pixels = std::min(pixels / kLargestTile * kLargestTile, packed.strip_rows * shape.out_width());
}

std::vector<LutUnit> cut_into_units(const LutLayout& lut, const PackedLutConv& packed, std::size_t planes,
                                    std::size_t channels) {
  const std::size_t blocks = planes == 1 ? 2 : 1;
  const std::size_t steps = packed.groups / lut.groups_per_byte();
  std::vector<LutUnit> units;
  std::size_t indices = 0;
  for (std::size_t first = 0; first < channels; first += blocks * lut.lanes) {
    LutUnit unit{.first_channel = first, .channels = std::min(channels - first, blocks * lut.lanes)};
    unit.registers = round_up(unit.channels, lut.lanes) / lut.lanes * planes;
    unit.indices = indices;
    indices += unit.registers * steps * lut.lanes;
    units.push_back(unit);
  }
  return units;
}

/// Even bytes of a register hold the first half of a block's channels, odd bytes the second: widening tells
/// even from odd bytes.
std::size_t lane_of(std::size_t channel, std::size_t lanes) {
  return channel < lanes / 2 ? 2 * channel : 2 * (channel - lanes / 2) + 1;
}

/// The place of an index byte: [tile of 2 or 1 registers][step][register of the tile][lane].
std::size_t index_at(const LutLayout& lut, const LutUnit& unit, std::size_t steps, std::size_t reg,
                     std::size_t step) {
  const std::size_t tile = reg / kMaxLutRegisters * kMaxLutRegisters;
  const std::size_t in_tile = std::min(kMaxLutRegisters, unit.registers - tile);
  return unit.indices + (tile * steps + step * in_tile + reg - tile) * lut.lanes;
}

/// One plane of one channel (of its group): the window bits that are set become index bits.
void pack_row(const LutLayout& lut, const BitConvSpec& spec, const ActivationLayout& input, std::size_t plane,
              std::size_t channel, PackedLutConv& packed) {
  const std::size_t per_group = spec.shape.out_channels / spec.shape.groups, c = channel % per_group;
  const std::size_t per_unit = packed.units.front().channels;
  const LutUnit& unit = packed.units[c / per_unit];
  const std::size_t block = (c - unit.first_channel) / lut.lanes;
  const std::size_t reg = block * spec.weights.planes + plane;
  const std::size_t lane = lane_of((c - unit.first_channel) % lut.lanes, lut.lanes);
  const std::size_t steps = packed.groups / lut.groups_per_byte();
  std::uint8_t* indices = packed.indices.data() + channel / per_group * packed.group_indices;
  const std::uint64_t* row = spec.weights.row(plane, channel);
  const std::size_t channels = input.group_channels();
  for (std::size_t k = 0; k < spec.weights.k; ++k) {
    if (((row[k / 64] >> (k % 64)) & 1U) == 0) continue;
    const std::size_t bit = k / channels * input.pixel_bits() + k % channels;
    const std::size_t group = bit / lut.group_bits, step = group / lut.groups_per_byte();
    const std::size_t shift = group % lut.groups_per_byte() * lut.group_bits + bit % lut.group_bits;
    indices[index_at(lut, unit, steps, reg, step) + lane] |= static_cast<std::uint8_t>(1U << shift);
  }
}

/// Sum of the values that `index` selects, of `bits` elements whose planes' bits stand side by side in
/// `code`.
std::uint8_t selected_sum(std::size_t code, std::size_t bits, std::size_t index,
                          std::span<const std::int32_t> multiples) {
  std::int32_t sum = 0;
  for (std::size_t j = 0; j < multiples.size(); ++j) {
    sum += multiples[j] * std::popcount(static_cast<unsigned>((code >> (j * bits)) & index));
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

}  // namespace

std::size_t lut_widen_every(const LutLayout& lut, const BitConvSpec& spec) noexcept {
  const std::size_t unit = lut.unit_groups[(spec.activation_planes + 1) / 2 - 1];
  std::int64_t largest = 0;
  for (std::size_t j = 0; j < spec.activation_planes; ++j) {
    if (spec.activation_multiples[j] <= 0) return 0;
    largest += spec.activation_multiples[j];
  }
  return 255 / (lut.group_bits * static_cast<std::size_t>(largest)) / unit * unit;
}

PackedLutConv make_packed_lut(const LutLayout& lut, const BitConvSpec& spec, const ActivationLayout& input) {
  const ConvShape& shape = spec.shape;
  assert(spec.weights.rows == shape.out_channels && spec.weights.k == shape.filter_size());
  assert(shape.channels % shape.groups == 0 && shape.out_channels % shape.groups == 0);
  PackedLutConv packed;
  packed.words = window_words(shape, input);
  packed.in_place = shape.taps() == 1 && shape.pad_h == 0 && shape.pad_w == 0 && input.pixel_bits() % 64 == 0;
  packed.parts = (spec.activation_planes + 1) / 2;
  const std::size_t unit = lut.unit_groups[packed.parts - 1];
  packed.groups = round_up(shape.taps() * input.pixel_bits(), lut.group_bits * unit) / lut.group_bits;
  packed.part_stride = round_up(packed.groups + 31, 32);
  packed.widen_every = lut_widen_every(lut, spec);
  packed.activation_multiples.assign(spec.activation_multiples,
                                     spec.activation_multiples + spec.activation_planes);
  const auto largest = static_cast<std::size_t>(
      std::accumulate(packed.activation_multiples.begin(), packed.activation_multiples.end(), 0));
  packed.chunk_groups = 65535 / (lut.group_bits * largest) / unit * unit;

  const bool bipolar = spec.weight_encoding == Encoding::Bipolar;
  for (std::size_t i = 0; i < spec.weights.planes; ++i) {
    packed.factors.push_back(spec.weight_multiples[i] * (bipolar ? 2 : 1));
    if (bipolar) packed.window_factor -= spec.weight_multiples[i];
  }
  packed.units = cut_into_units(lut, packed, spec.weights.planes, shape.out_channels / shape.groups);
  const std::size_t steps = packed.groups / lut.groups_per_byte();
  const LutUnit& last = packed.units.back();
  packed.group_indices = last.indices + last.registers * steps * lut.lanes;
  packed.indices = AlignedArray<std::uint8_t>(shape.groups * packed.group_indices);
  for (std::size_t plane = 0; plane < spec.weights.planes; ++plane) {
    for (std::size_t channel = 0; channel < shape.out_channels; ++channel) {
      pack_row(lut, spec, input, plane, channel, packed);
    }
  }
  packed.tables = AlignedArray<std::uint8_t>(packed.parts * lut.part_bytes);
  const std::span<const std::int32_t> multiples(packed.activation_multiples);
  for (std::size_t part = 0; part < packed.parts; ++part) {
    fill_part(lut.group_bits,
              multiples.subspan(2 * part, std::min<std::size_t>(2, multiples.size() - 2 * part)),
              packed.tables.data() + part * lut.part_bytes);
  }
  packed.border = BorderClasses(shape);
  const std::size_t window_bytes = packed.in_place ? 0 : packed.words * 8 * spec.activation_planes;
  plan_strip(shape, window_bytes + packed.pixel_codes() * sizeof(std::uint16_t), packed);
  return packed;
}

}  // namespace bitplane::kernels
