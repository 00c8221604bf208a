// SPDX-License-Identifier: Apache-2.0
#include "lut/packed_lut.h"

#include <algorithm>
#include <cassert>
#include <span>

#include "bitserial/gather.h"
#include "lut/filter_window.h"
#include "lut/part_tables.h"

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
  const std::size_t blocks = std::max<std::size_t>(1, lut.tile_registers / planes);
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

/// Where the index bytes of a register begin, and how far one step's is from the next:
/// [tile][step][register of the tile][lane].
struct IndexPlace {
  std::size_t first = 0, step = 0;
};
IndexPlace place_of(const LutLayout& lut, const LutUnit& unit, std::size_t steps, std::size_t reg) {
  std::size_t tile = 0;
  while (tile + lut.next_tile(unit.registers - tile) <= reg) tile += lut.next_tile(unit.registers - tile);
  const std::size_t step = lut.next_tile(unit.registers - tile) * lut.lanes;
  return {unit.indices + (tile * steps + reg - tile) * lut.lanes, step};
}

/// Bits [at, at + count) of a window, at most 8.
std::uint8_t bits_at(std::span<const std::uint64_t> window, std::size_t at, std::size_t count) {
  const std::size_t word = at / 64, shift = at % 64;
  std::uint64_t bits = window[word] >> shift;
  if (shift + count > 64) bits |= window[word + 1] << (64 - shift);
  return static_cast<std::uint8_t>(bits & ((1U << count) - 1U));
}

/// One plane of one channel (of its group): the bits of a step's groups are an index byte. (Bit by bit,
/// ResNet-18's 11 M weights took 80 ms.)
void pack_row(const LutLayout& lut, std::span<const std::uint64_t> window, std::size_t planes,
              std::size_t plane, std::size_t channel, PackedLutConv& packed) {
  const std::size_t c = channel % packed.group_channels;
  const LutUnit& unit = packed.units[c / packed.units.front().channels];
  const std::size_t block = (c - unit.first_channel) / lut.lanes;
  const std::size_t steps = packed.groups / lut.groups_per_byte();
  const IndexPlace place = place_of(lut, unit, steps, block * planes + plane);
  const std::size_t step_bits = lut.group_bits * lut.groups_per_byte();
  std::uint8_t* to = packed.indices.data() + channel / packed.group_channels * packed.group_indices +
                     place.first + lane_of((c - unit.first_channel) % lut.lanes, lut.lanes);
  for (std::size_t step = 0; step < steps; ++step, to += place.step)
    *to = bits_at(window, step * step_bits, step_bits);
}

void pack_weights(const LutLayout& lut, const BitConvSpec& spec, const ActivationLayout& input,
                  PackedLutConv& packed) {
  const std::size_t planes = spec.weights.planes;
  std::vector<std::uint64_t> window(words_for_bits(packed.groups * lut.group_bits));
  for (std::size_t plane = 0; plane < planes; ++plane) {
    for (std::size_t channel = 0; channel < spec.shape.out_channels; ++channel) {
      write_filter_window(spec.weights.row(plane, channel), spec.shape, input, window);
      pack_row(lut, window, planes, plane, channel, packed);
    }
  }
}

}  // namespace

bool activation_tables_support(const LutLayout& lut, const BitConvSpec& spec) noexcept {
  const std::span<const std::int32_t> multiples(spec.activation_multiples, spec.activation_planes);
  // Positive ones only: a turned plane (packed_weight_tables.h) would have ones where the picture is padded.
  return spec.combination == Combination::UniformBoth && spec.activation_encoding == Encoding::Unsigned &&
         spec.weight_offset == nullptr && spec.activation_offset == 0.0F &&
         spec.activation_planes <= 2 * kMaxLutParts &&
         std::all_of(multiples.begin(), multiples.end(), [](std::int32_t n) { return n > 0; }) &&
         lut_widen_every(lut, multiples) != 0;
}

PackedLutConv make_packed_lut(const LutLayout& lut, const BitConvSpec& spec, const ActivationLayout& input) {
  const ConvShape& shape = spec.shape;
  assert(spec.weights.rows == shape.out_channels && spec.weights.k == shape.filter_size());
  assert(shape.channels % shape.groups == 0 && shape.out_channels % shape.groups == 0);
  PackedLutConv packed;
  packed.words = window_words(shape, input);
  packed.in_place = shape.taps() == 1 && shape.pad_h == 0 && shape.pad_w == 0 && input.pixel_bits() % 64 == 0;
  packed.activation_multiples.assign(spec.activation_multiples,
                                     spec.activation_multiples + spec.activation_planes);
  packed.parts = lut_parts(spec.activation_planes);
  const std::size_t unit = lut.unit_groups[packed.parts - 1];
  packed.groups = round_up(shape.taps() * input.pixel_bits(), lut.group_bits * unit) / lut.group_bits;
  packed.part_stride = round_up(packed.groups + 31, 32);
  packed.widen_every = lut_widen_every(lut, packed.activation_multiples);
  packed.chunk_groups = lut_chunk_groups(lut, packed.activation_multiples);

  const bool bipolar = spec.weight_encoding == Encoding::Bipolar;
  for (std::size_t i = 0; i < spec.weights.planes; ++i) {
    packed.factors.push_back(spec.weight_multiples[i] * (bipolar ? 2 : 1));
    if (bipolar) packed.window_factor -= spec.weight_multiples[i];
  }
  packed.group_channels = shape.out_channels / shape.groups;
  packed.units = cut_into_units(lut, packed, spec.weights.planes, packed.group_channels);
  const std::size_t steps = packed.groups / lut.groups_per_byte();
  const LutUnit& last = packed.units.back();
  packed.group_indices = last.indices + last.registers * steps * lut.lanes;
  packed.indices = AlignedArray<std::uint8_t>(shape.groups * packed.group_indices);
  pack_weights(lut, spec, input, packed);
  packed.tables = make_part_tables(lut, packed.activation_multiples);
  packed.border = BorderClasses(shape);
  const std::size_t window_bytes = packed.in_place ? 0 : packed.words * 8 * spec.activation_planes;
  plan_strip(shape, window_bytes + packed.pixel_codes() * sizeof(std::uint16_t), packed);
  return packed;
}

}  // namespace bitplane::kernels
