// SPDX-License-Identifier: Apache-2.0
#include "lut/packed_weight_tables.h"

#include <algorithm>
#include <cassert>
#include <span>

#include "bitserial/gather.h"
#include "lut/filter_window.h"
#include "lut/part_tables.h"

namespace bitplane::kernels {
namespace {

constexpr std::size_t kChannelTile = 8;  // of the largest tile and of the transposing finish
constexpr std::size_t kStripPixels = 192, kStripBytes = 128 * 1024;

constexpr std::size_t round_up(std::size_t value, std::size_t to) {
  return (value + to - 1) / to * to;
}

std::span<const std::int32_t> weight_multiples(const BitConvSpec& spec) {
  return {spec.weight_multiples, spec.weights.planes};
}

/// The planes b' of one channel.
void write_window(const BitConvSpec& spec, const ActivationLayout& input, std::size_t channel,
                  std::span<std::uint64_t> window) {
  const std::size_t words = window.size() / spec.weights.planes;
  for (std::size_t plane = 0; plane < spec.weights.planes; ++plane) {
    const std::span<std::uint64_t> to = window.subspan(plane * words, words);
    write_filter_window(spec.weights.row(plane, channel), spec.shape, input, to);
    if (spec.weight_multiples[plane] < 0) {
      for (std::uint64_t& word : to) word = ~word;
    }
  }
}

void fill_codes(const LutKernels& kernels, const BitConvSpec& spec, const ActivationLayout& input,
                PackedWeightTables& packed) {
  packed.codes =
      AlignedArray<std::uint16_t>(spec.shape.groups * packed.padded_channels * packed.channel_codes());
  std::vector<std::uint64_t> window(spec.weights.planes * packed.words);
  for (std::size_t channel = 0; channel < spec.shape.out_channels; ++channel) {
    write_window(spec, input, channel, window);
    const std::size_t row =
        channel / packed.group_channels * packed.padded_channels + channel % packed.group_channels;
    kernels.encode({.bits = reinterpret_cast<const std::byte*>(window.data()),
                    .plane_stride = packed.words * sizeof(std::uint64_t),
                    .planes = spec.weights.planes,
                    .words = packed.words,
                    .codes = packed.codes.data() + row * packed.channel_codes(),
                    .part_stride = packed.part_stride});
  }
}

std::size_t window_groups(const LutLayout& lut, const ConvShape& shape, const ActivationLayout& input) {
  return round_up(shape.taps() * input.pixel_bits(), 8) / lut.group_bits;
}

void fill_factors(const BitConvSpec& spec, PackedWeightTables& packed) {
  const std::int32_t factor = spec.weight_encoding == Encoding::Bipolar ? 2 : 1;
  packed.window_factor = weight_tables_window_factor(spec);
  for (std::size_t j = 0; j < spec.activation_planes; ++j) {
    packed.activation_multiples.push_back(spec.activation_multiples[j]);
    packed.factors.push_back(factor * spec.activation_multiples[j]);
  }
}

}  // namespace

bool weight_tables_support(const LutLayout& lut, const BitConvSpec& spec) noexcept {
  if (spec.combination != Combination::UniformBoth || spec.activation_encoding != Encoding::Unsigned ||
      spec.weight_offset != nullptr || spec.activation_offset != 0.0F ||
      spec.weights.planes > 2 * kMaxLutParts || lut_widen_every(lut, weight_multiples(spec)) == 0) {
    return false;
  }
  const ActivationLayout input{.channels = spec.shape.channels, .groups = spec.shape.groups};
  return window_groups(lut, spec.shape, input) <= lut_chunk_groups(lut, weight_multiples(spec));
}

std::int32_t weight_tables_window_factor(const BitConvSpec& spec) noexcept {
  const bool bipolar = spec.weight_encoding == Encoding::Bipolar;
  std::int32_t factor = 0;
  for (const std::int32_t multiple : weight_multiples(spec)) {
    factor += bipolar ? 2 * std::min(multiple, 0) - multiple : std::min(multiple, 0);
  }
  return factor;
}

std::size_t weight_tables_rows(const LutLayout& lut, const ConvShape& shape) noexcept {
  const std::size_t width = shape.out_width();
  std::size_t best = 1;
  double best_use = 0.0;
  for (std::size_t rows = 1; rows == 1 || rows * width <= kStripPixels; ++rows) {
    const std::size_t pixels = rows * width;
    const double use = static_cast<double>(pixels) / static_cast<double>(round_up(pixels, 2 * lut.lanes));
    if (use > best_use + 0.01) {
      best = rows;
      best_use = use;
    }
  }
  return best;
}

PackedWeightTables make_packed_weight_tables(const LutKernels& kernels, const BitConvSpec& spec,
                                             const ActivationLayout& input) {
  const ConvShape& shape = spec.shape;
  const LutLayout& lut = kernels.layout;
  assert(spec.weights.rows == shape.out_channels && spec.weights.k == shape.filter_size());
  assert(shape.channels % shape.groups == 0 && shape.out_channels % shape.groups == 0);
  assert(weight_tables_support(lut, spec));
  PackedWeightTables packed;
  packed.words = window_words(shape, input);
  packed.parts = lut_parts(spec.weights.planes);
  packed.groups = window_groups(lut, shape, input);
  packed.part_stride = round_up(packed.groups, 32);
  packed.widen_every = lut_widen_every(lut, weight_multiples(spec));
  packed.group_channels = shape.out_channels / shape.groups;
  packed.padded_channels = round_up(packed.group_channels, kChannelTile);
  fill_factors(spec, packed);
  fill_codes(kernels, spec, input, packed);
  packed.tables = make_part_tables(lut, weight_multiples(spec));
  packed.border = BorderClasses(shape);
  packed.strip_rows = weight_tables_rows(lut, shape);
  const std::size_t pixel_bytes = 2 * packed.words * sizeof(std::uint64_t) * spec.activation_planes;
  const std::size_t most =
      std::max<std::size_t>(1, kStripBytes / pixel_bytes / (2 * lut.lanes)) * 2 * lut.lanes;
  packed.strip_pixels = std::min(most, round_up(packed.strip_rows * shape.out_width(), lut.lanes));
  return packed;
}

}  // namespace bitplane::kernels
