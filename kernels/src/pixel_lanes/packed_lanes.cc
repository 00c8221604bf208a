// SPDX-License-Identifier: Apache-2.0
#include "pixel_lanes/packed_lanes.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstdlib>
#include <cstring>

namespace bitplane::kernels {
namespace {

constexpr std::size_t round_up(std::size_t value, std::size_t to) {
  return (value + to - 1) / to * to;
}

ActivationLayout input_of(const BitConvSpec& spec) {
  return {.height = spec.shape.height,
          .width = spec.shape.width,
          .channels = spec.shape.channels,
          .planes = spec.activation_planes,
          .groups = spec.shape.groups};
}

std::int64_t sum_of_magnitudes(const std::int32_t* multiples, std::size_t count) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += std::abs(std::int64_t{multiples[i]});
  return sum;
}

/// Bytes of the tables of one position.
std::size_t table_bytes(const LaneGeometry& geometry) {
  return geometry.quads * 16;
}

/// Look-ups are offsets of 16 bits.
bool tables_fit(const LaneGeometry& geometry, const ConvShape& shape) {
  return round_up(geometry.read_positions(shape.out_width()), geometry.lanes) * table_bytes(geometry) <=
         std::size_t{1} << 16;
}

/// What a band may take of the first-level cache: of tables, whose windows are read again for each output
/// channel, or of 16-bit sums. Measured on Zen 4 (32 KB): see KERNELS.md.
constexpr std::size_t kBandBytes = 28 * 1024;

std::size_t band_bytes(const LaneKernels& kernels, const BitConvSpec& spec, const LaneGeometry& geometry) {
  const std::size_t width = spec.shape.out_width();
  if (kernels.method == LaneMethod::Tables) return geometry.read_positions(width) * table_bytes(geometry);
  return geometry.positions(geometry.band_rows, width) * spec.shape.out_channels * sizeof(std::int16_t);
}

/// The cheapest number of rows: few lanes of the last register empty, few rows copied twice.
void choose_rows(const LaneKernels& kernels, const BitConvSpec& spec, LaneGeometry& geometry) {
  std::size_t best = 1;
  double lowest = 0.0;
  for (std::size_t rows = 1; rows <= spec.shape.out_height(); ++rows) {
    geometry.band_rows = rows;
    if (rows > 1 && band_bytes(kernels, spec, geometry) > kBandBytes) break;
    const double cost = bands_cost(kernels, spec, geometry);
    if (rows > 1 && cost >= lowest) continue;
    best = rows;
    lowest = cost;
  }
  geometry.band_rows = best;
}

bool bit_of(const PlaneMatrixView& weights, std::size_t plane, std::size_t row, std::size_t k) {
  return (weights.row(plane, row)[k / 64] >> (k % 64) & 1U) != 0;
}

/// [channel / 4][weight plane][tap][4] of each group.
void fill_words(const BitConvSpec& spec, PackedLanes& packed) {
  const ConvShape& shape = spec.shape;
  const std::size_t planes = spec.weights.planes, taps = shape.taps(),
                    channels = shape.channels / shape.groups;
  const std::size_t word_bytes = std::max<std::size_t>(4, packed.geometry.granule_bytes);
  const std::size_t group_bytes = packed.padded_channels * planes * taps * word_bytes;
  packed.words = AlignedArray<std::byte>(shape.groups * group_bytes);
  for (std::size_t o = 0; o < shape.out_channels; ++o) {
    const std::size_t channel = o % packed.group_channels, tile = channel / kLaneChannelTile;
    std::byte* const of_tile = packed.words.data() + o / packed.group_channels * group_bytes +
                               tile * planes * taps * kLaneChannelTile * word_bytes;
    for (std::size_t i = 0; i < planes; ++i) {
      for (std::size_t tap = 0; tap < taps; ++tap) {
        std::uint64_t word = 0;
        for (std::size_t c = 0; c < channels; ++c)
          word |= std::uint64_t{bit_of(spec.weights, i, o, tap * channels + c)} << c;
        if (packed.geometry.granule_bytes == 2) word |= word << 16;
        std::memcpy(of_tile + ((i * taps + tap) * kLaneChannelTile + channel % kLaneChannelTile) * word_bytes,
                    &word, word_bytes);
      }
    }
  }
}

/// Modulo 2^16, as the kernels add.
std::int16_t low_word(std::int64_t value) {
  return static_cast<std::int16_t>(static_cast<std::uint16_t>(value));
}

void fill_counted(const BitConvSpec& spec, PackedLanes& packed) {
  const bool bipolar = spec.weight_encoding == Encoding::Bipolar;
  packed.op = bipolar ? LanePairOp::Xor : LanePairOp::And;
  fill_words(spec, packed);
  std::int64_t activations = 0;
  for (std::size_t j = 0; j < spec.activation_planes; ++j) activations += spec.activation_multiples[j];
  for (std::size_t i = 0; i < spec.weights.planes; ++i) {
    for (std::size_t j = 0; j < spec.activation_planes; ++j) {
      const std::int64_t factor = std::int64_t{spec.weight_multiples[i]} * spec.activation_multiples[j];
      packed.factors.push_back(low_word(bipolar ? -factor : factor));
    }
  }
  packed.starts = AlignedArray<LaneWord>(spec.shape.groups * packed.padded_channels);
  if (!bipolar) return;
  for (std::size_t o = 0; o < spec.shape.out_channels; ++o) {
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < spec.weights.planes; ++i) {
      const std::uint64_t* const row = spec.weights.row(i, o);
      for (std::size_t word = 0; word < spec.weights.row_words(); ++word)
        sum += spec.weight_multiples[i] * std::int64_t{std::popcount(row[word])};
    }
    packed.starts[o / packed.group_channels * packed.padded_channels + o % packed.group_channels] =
        lane_word(sum * activations, packed.geometry.granule_bytes);
  }
}

/// Where the table of a quad's 4 bits lies for a tap.
std::uint16_t look_up_of(const PackedLanes& packed, std::size_t tap, std::size_t quad, std::size_t bits) {
  return static_cast<std::uint16_t>((quad * 16 + bits) * packed.table_stride + packed.tap_positions[tap]);
}

/// [weight plane][channel][look-up] of each group. Quads come before taps: one table after the other.
void fill_look_ups(const BitConvSpec& spec, PackedLanes& packed) {
  const ConvShape& shape = spec.shape;
  const std::size_t taps = shape.taps(), channels = shape.channels / shape.groups;
  const std::size_t quads = packed.geometry.quads, count = quads * taps;
  packed.look_ups = AlignedArray<std::uint16_t>(spec.weights.planes * shape.out_channels * count);
  std::uint16_t* next = packed.look_ups.data();
  for (std::size_t group = 0; group < shape.groups; ++group) {
    for (std::size_t i = 0; i < spec.weights.planes; ++i) {
      for (std::size_t o = group * packed.group_channels; o < (group + 1) * packed.group_channels; ++o) {
        for (std::size_t at = 0; at < count; ++at) {
          const std::size_t quad = at / taps, tap = at % taps;
          std::size_t bits = 0;
          for (std::size_t c = 4 * quad; c < std::min(channels, 4 * quad + 4); ++c)
            bits |= std::size_t{bit_of(spec.weights, i, o, tap * channels + c)} << (c % 4);
          *next++ = look_up_of(packed, tap, quad, bits);
        }
      }
    }
  }
  for (std::size_t at = 0; at < count; ++at)
    packed.sum_look_ups.push_back(look_up_of(packed, at % taps, at / taps, 15));
}

/// The largest sum of a byte's table.
std::int64_t most_of_quad(const BitConvSpec& spec) {
  return 4 * sum_of_magnitudes(spec.activation_multiples, spec.activation_planes);
}

void fill_tables(const BitConvSpec& spec, PackedLanes& packed) {
  const bool bipolar = spec.weight_encoding == Encoding::Bipolar;
  packed.table_stride =
      round_up(packed.geometry.read_positions(spec.shape.out_width()), packed.geometry.lanes);
  fill_look_ups(spec, packed);
  packed.widen_every = static_cast<std::size_t>(255 / most_of_quad(spec));
  packed.bit_values = AlignedArray<std::uint8_t>(spec.activation_planes * 4 * 16);
  for (std::size_t j = 0; j < spec.activation_planes; ++j) {
    for (std::size_t bit = 0; bit < 4; ++bit) {
      for (std::size_t nibble = 0; nibble < 16; ++nibble) {
        if ((nibble >> bit & 1U) != 0)
          packed.bit_values[(j * 4 + bit) * 16 + nibble] =
              static_cast<std::uint8_t>(spec.activation_multiples[j]);
      }
    }
  }
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < spec.weights.planes; ++i) {
    sum += spec.weight_multiples[i];
    packed.plane_factors.push_back(low_word(std::int64_t{spec.weight_multiples[i]} * (bipolar ? 2 : 1)));
  }
  if (bipolar) packed.sum_factor = low_word(-sum);
}

}  // namespace

std::size_t LaneGeometry::positions(std::size_t rows, std::size_t out_width) const noexcept {
  return round_up((rows - 1) * pitch + out_width, lanes);
}

std::size_t LaneGeometry::read_positions(std::size_t out_width) const noexcept {
  return positions(band_rows, out_width) + last_tap;
}

LaneGeometry lane_geometry(const LaneKernels& kernels, const BitConvSpec& spec) noexcept {
  const ConvShape& shape = spec.shape;
  LaneGeometry geometry;
  geometry.granule_bytes = input_of(spec).pixel_bytes();
  geometry.lanes = kernels.method == LaneMethod::Counted ? kernels.register_bytes / geometry.granule_bytes
                                                         : kernels.register_bytes;
  geometry.pitch = shape.width + shape.pad_w;
  geometry.span_rows = shape.dilation_h * (shape.kernel_h - 1) + 1;
  geometry.last_tap = (geometry.span_rows - 1) * geometry.pitch + shape.dilation_w * (shape.kernel_w - 1);
  geometry.quads = (shape.channels / shape.groups + 3) / 4;
  choose_rows(kernels, spec, geometry);
  return geometry;
}

LaneWord lane_word(std::int64_t value, std::size_t granule_bytes) noexcept {
  const std::int32_t word = low_word(value);
  if (granule_bytes != 2) return word;
  const auto low = static_cast<std::uint32_t>(word) & 0xffffU;
  return static_cast<LaneWord>(low << 16 | low);
}

bool lanes_support(const LaneKernels& kernels, const BitConvSpec& spec) noexcept {
  const ConvShape& shape = spec.shape;
  if (spec.combination != Combination::UniformBoth || spec.activation_encoding != Encoding::Unsigned ||
      spec.weight_offset != nullptr || spec.activation_offset != 0.0F ||
      spec.activation_planes > kLanePlanes || shape.channels / shape.groups > 64 || shape.stride_h != 1 ||
      shape.stride_w != 1 || shape.dilation_w * (shape.kernel_w - 1) < shape.pad_w) {
    return false;
  }
  const std::int64_t most = static_cast<std::int64_t>(shape.filter_size()) *
                            sum_of_magnitudes(spec.weight_multiples, spec.weights.planes) *
                            sum_of_magnitudes(spec.activation_multiples, spec.activation_planes);
  // One less than 16 bits hold: a threshold of -32768 is always passed, even by ~sum.
  if (most > 32766) return false;
  if (kernels.method == LaneMethod::Counted) return true;
  const std::int32_t* const multiples = spec.activation_multiples;
  return std::all_of(multiples, multiples + spec.activation_planes, [](auto n) { return n > 0; }) &&
         most_of_quad(spec) <= 255 && tables_fit(lane_geometry(kernels, spec), shape);
}

PackedLanes make_packed_lanes(const LaneKernels& kernels, const BitConvSpec& spec) {
  const ConvShape& shape = spec.shape;
  assert(spec.weights.rows == shape.out_channels && spec.weights.k == shape.filter_size());
  assert(lanes_support(kernels, spec));
  const bool counted = kernels.method == LaneMethod::Counted;
  PackedLanes packed;
  packed.geometry = lane_geometry(kernels, spec);
  packed.group_channels = shape.out_channels / shape.groups;
  packed.padded_channels =
      counted ? round_up(packed.group_channels, kLaneChannelTile) : packed.group_channels;
  for (std::size_t ky = 0; ky < shape.kernel_h; ++ky) {
    for (std::size_t kx = 0; kx < shape.kernel_w; ++kx) {
      packed.tap_positions.push_back(
          static_cast<std::uint32_t>(ky * shape.dilation_h * packed.geometry.pitch + kx * shape.dilation_w));
    }
  }
  if (counted) {
    fill_counted(spec, packed);
  } else {
    fill_tables(spec, packed);
  }
  const std::size_t width = shape.out_width();
  packed.plane_stride = round_up(
      round_up(packed.geometry.read_positions(width), packed.geometry.lanes) * packed.geometry.granule_bytes,
      64);
  // The transposition reads whole blocks of 16 pixels.
  packed.sum_stride = round_up(packed.geometry.positions(packed.geometry.band_rows, width) + 15, 32);
  return packed;
}

}  // namespace bitplane::kernels
