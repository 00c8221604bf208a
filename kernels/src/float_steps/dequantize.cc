// SPDX-License-Identifier: Apache-2.0
//
// Planes to the values of their codes. Eight channels at a time: a table spreads the bits of a byte over the
// bytes of a word, and the words of all planes, shifted, are eight codes.
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>

#include "bitplane/kernels/float_steps.h"

namespace bitplane::kernels {
namespace {

/// Bit i of the index in the lowest bit of byte i.
constexpr std::array<std::uint64_t, 256> kSpread = [] {
  std::array<std::uint64_t, 256> table{};
  for (std::size_t byte = 0; byte < table.size(); ++byte) {
    for (std::size_t i = 0; i < 8; ++i) table[byte] |= std::uint64_t{byte >> i & 1U} << (8 * i);
  }
  return table;
}();

/// Codes of 8 channels, one per byte, the first in the lowest.
std::uint64_t eight_codes(const std::byte* first_plane, const ActivationLayout& layout) noexcept {
  std::uint64_t codes = 0;
  for (std::size_t plane = 0; plane < layout.planes; ++plane) {
    codes |= kSpread[std::to_integer<std::size_t>(first_plane[plane * layout.plane_stride()])] << plane;
  }
  return codes;
}

void dequantize_pixel(const std::byte* pixel, const ActivationLayout& layout, const float* levels,
                      float* y) noexcept {
  const std::size_t channels = layout.group_channels();
  for (std::size_t c = 0; c + 8 <= channels; c += 8) {
    const std::uint64_t codes = eight_codes(pixel + c / 8, layout);
    for (std::size_t i = 0; i < 8; ++i) y[c + i] = levels[codes >> (8 * i) & 0xFF];
  }
  const std::size_t rest = channels % 8;
  if (rest == 0) return;
  const std::uint64_t codes = eight_codes(pixel + channels / 8, layout);
  for (std::size_t i = 0; i < rest; ++i) y[channels - rest + i] = levels[codes >> (8 * i) & 0xFF];
}

}  // namespace

void dequantize_codes(const PackedActivations& x, const float* levels, RowRange rows, float* y) noexcept {
  const ActivationLayout& layout = x.layout;
  assert(layout.planes <= kMaxActivationPlanes);
  for (std::size_t row = rows.begin; row < rows.end; ++row) {
    for (std::size_t group = 0; group < layout.groups; ++group) {
      const std::byte* planes =
          x.data + row * layout.row_bytes() + group * layout.planes * layout.plane_stride();
      for (std::size_t column = 0; column < layout.width; ++column) {
        float* out = y + (row * layout.width + column) * layout.channels + group * layout.group_channels();
        dequantize_pixel(planes + column * layout.pixel_bytes(), layout, levels, out);
      }
    }
  }
}

}  // namespace bitplane::kernels
