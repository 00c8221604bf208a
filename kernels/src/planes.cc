// SPDX-License-Identifier: Apache-2.0
#include "bitplane/kernels/planes.h"

#include <bit>
#include <cassert>
#include <cstring>

namespace bitplane::kernels {
namespace {

// Bit c of a pixel is bit c % 8 of byte c / 8, whatever the granule: true on little-endian machines only.
static_assert(std::endian::native == std::endian::little);

void pack_pixel(const std::uint8_t* codes, const ActivationLayout& layout, std::byte* group_row,
                std::size_t x) noexcept {
  for (std::size_t c = 0; c < layout.group_channels(); ++c) {
    const std::size_t at = x * layout.pixel_bytes() + c / 8;
    for (std::size_t plane = 0; plane < layout.planes; ++plane) {
      const unsigned bit = (static_cast<unsigned>(codes[c]) >> plane) & 1U;
      group_row[plane * layout.plane_stride() + at] |= static_cast<std::byte>(bit << (c % 8));
    }
  }
}

void unpack_pixel(const std::byte* group_row, const ActivationLayout& layout, std::size_t x,
                  std::uint8_t* codes) noexcept {
  for (std::size_t c = 0; c < layout.group_channels(); ++c) {
    const std::size_t at = x * layout.pixel_bytes() + c / 8;
    unsigned code = 0;
    for (std::size_t plane = 0; plane < layout.planes; ++plane) {
      const unsigned byte = std::to_integer<unsigned>(group_row[plane * layout.plane_stride() + at]);
      code |= ((byte >> (c % 8)) & 1U) << plane;
    }
    codes[c] = static_cast<std::uint8_t>(code);
  }
}

}  // namespace

void unpack_codes(const PackedActivations& packed, std::size_t batch,
                  std::span<std::uint8_t> codes) noexcept {
  const ActivationLayout& layout = packed.layout;
  assert(codes.size() == batch * layout.height * layout.width * layout.channels);
  for (std::size_t row = 0; row < batch * layout.height; ++row) {
    for (std::size_t group = 0; group < layout.groups; ++group) {
      const std::byte* group_row =
          packed.data + row * layout.row_bytes() + group * layout.planes * layout.plane_stride();
      for (std::size_t x = 0; x < layout.width; ++x) {
        const std::size_t at = (row * layout.width + x) * layout.channels + group * layout.group_channels();
        unpack_pixel(group_row, layout, x, codes.data() + at);
      }
    }
  }
}

void pack_codes(std::span<const std::uint8_t> codes, std::size_t batch, const ActivationLayout& layout,
                std::byte* data) noexcept {
  assert(codes.size() == batch * layout.height * layout.width * layout.channels);
  assert(layout.planes <= kMaxActivationPlanes);
  std::memset(data, 0, batch * layout.picture_bytes());
  for (std::size_t row = 0; row < batch * layout.height; ++row) {
    for (std::size_t group = 0; group < layout.groups; ++group) {
      std::byte* group_row = data + row * layout.row_bytes() + group * layout.planes * layout.plane_stride();
      for (std::size_t x = 0; x < layout.width; ++x) {
        const std::size_t at = (row * layout.width + x) * layout.channels + group * layout.group_channels();
        pack_pixel(codes.data() + at, layout, group_row, x);
      }
    }
  }
}

}  // namespace bitplane::kernels
