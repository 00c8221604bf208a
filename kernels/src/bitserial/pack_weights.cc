// SPDX-License-Identifier: Apache-2.0
#include "bitserial/pack_weights.h"

#include <algorithm>
#include <bit>

#include "bitserial/gather.h"

namespace bitplane::kernels {
namespace {

/// `count` (1..64) bits of a row from bit `offset` on.
std::uint64_t extract_bits(const std::uint64_t* row, std::size_t offset, std::size_t count) noexcept {
  const std::size_t word = offset / 64, shift = offset % 64;
  std::uint64_t bits = row[word] >> shift;
  if (shift + count > 64) bits |= row[word + 1] << (64 - shift);
  return count == 64 ? bits : bits & ((std::uint64_t{1} << count) - 1);
}

/// Calls f(position of the bits in the padded pixel, bits) for the channels of one tap, up to 64 at a time.
template <class F>
void for_tap_bits(const std::uint64_t* row, std::size_t tap, std::size_t group_channels, F f) {
  for (std::size_t c = 0; c < group_channels; c += 64) {
    f(c, extract_bits(row, tap * group_channels + c, std::min<std::size_t>(64, group_channels - c)));
  }
}

}  // namespace

std::vector<ChannelBlock> cut_into_blocks(const BitSerialKernels& kernels, std::size_t group_channels) {
  std::vector<ChannelBlock> blocks;
  std::size_t first = 0;
  for (std::size_t index = 0; index < kMaxRegisterSizes && kernels.register_sizes[index] != 0; ++index) {
    const std::size_t width = kernels.register_sizes[index] * kernels.lanes;
    const std::size_t padded = (group_channels + kernels.lanes - 1) / kernels.lanes * kernels.lanes;
    for (; first + width <= padded; first += width) {
      blocks.push_back(
          {.first = first, .channels = std::min(width, group_channels - first), .register_index = index});
    }
  }
  return blocks;
}

AlignedArray<std::uint64_t> pack_weights(const BitSerialKernels& kernels, const PlaneMatrixView& weights,
                                         const WeightGeometry& geometry) {
  const ConvShape& shape = geometry.shape;
  const std::size_t words = window_words(shape, geometry.input), pixel_bits = geometry.input.pixel_bits();
  const std::size_t group_channels = shape.out_channels / shape.groups;
  AlignedArray<std::uint64_t> packed(shape.groups * geometry.stride * weights.planes * words);
  const std::vector<ChannelBlock> blocks = cut_into_blocks(kernels, group_channels);
  for (std::size_t group = 0; group < shape.groups; ++group) {
    for (const ChannelBlock& block : blocks) {
      const std::size_t width = kernels.register_sizes[block.register_index] * kernels.lanes;
      std::uint64_t* to = packed.data() + (group * geometry.stride + block.first) * weights.planes * words;
      for (std::size_t plane = 0; plane < weights.planes; ++plane, to += words * width) {
        for (std::size_t c = 0; c < block.channels; ++c) {
          const std::uint64_t* row = weights.row(plane, group * group_channels + block.first + c);
          for (std::size_t tap = 0; tap < shape.taps(); ++tap) {
            for_tap_bits(row, tap, geometry.input.group_channels(),
                         [&](std::size_t channel, std::uint64_t bits) {
                           const std::size_t at = tap * pixel_bits + channel;
                           to[at / 64 * width + c] |= bits << (at % 64);
                         });
          }
        }
      }
    }
  }
  return packed;
}

std::int64_t count_taps(const PlaneMatrixView& weights, const ConvShape& shape, std::size_t plane,
                        std::size_t channel, IndexRange rows, IndexRange columns) noexcept {
  std::int64_t count = 0;
  for (std::size_t ky = rows.begin; ky < rows.end; ++ky) {
    for (std::size_t kx = columns.begin; kx < columns.end; ++kx) {
      for_tap_bits(weights.row(plane, channel), ky * shape.kernel_w + kx, shape.channels / shape.groups,
                   [&](std::size_t, std::uint64_t bits) { count += std::popcount(bits); });
    }
  }
  return count;
}

}  // namespace bitplane::kernels
