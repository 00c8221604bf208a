// SPDX-License-Identifier: Apache-2.0
//
// Bit-planes: what a quantized tensor is made of, and the two layouts they have.
//
//   value(k) = offset + sum_i basis_i * bit_i(k)              Encoding::Unsigned
//   value(k) = offset + sum_i basis_i * (2 * bit_i(k) - 1)    Encoding::Bipolar
//
// Two's complement is Unsigned with a negative last basis entry; one-hot planes are Unsigned.
//
//   canonical   PlaneMatrixView: dense rows, the same on disk for every ISA
//   packed      PackedActivations (NHWC pixels, a granule per tap) and PackedWeights (bitserial.h)
//
// Contract: pad bits are zero in every layout. 0 AND 0 and 0 XOR 0 add nothing, so any K is exact without a
// tail correction; XNOR is never used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace bitplane::kernels {

enum class Encoding : std::uint8_t { Unsigned, Bipolar };

inline constexpr std::size_t kMaxPlanes = 16;
inline constexpr std::size_t kMaxActivationPlanes = 8;

[[nodiscard]] constexpr std::size_t words_for_bits(std::size_t bits) noexcept {
  return (bits + 63) / 64;
}

/// Canonical planes: words[plane][row][words_for_bits(k)], bit k of a row is bit k % 64 of word k / 64,
/// pad bits zero. Rows are output channels, K-order (kernel row, kernel column, channel of the group).
struct PlaneMatrixView {
  const std::uint64_t* words = nullptr;
  std::size_t planes = 0, rows = 0, k = 0;

  [[nodiscard]] constexpr std::size_t row_words() const noexcept { return words_for_bits(k); }
  [[nodiscard]] constexpr const std::uint64_t* row(std::size_t plane, std::size_t r) const noexcept {
    return words + (plane * rows + r) * row_words();
  }
};

/// How one tensor of packed activations lies in memory: NHWC pixels; a row of the picture holds, plane after
/// plane, its pixels side by side, so that the taps of one kernel row are one contiguous run:
///
///   [n][h][group][plane][w][granules]        a granule is 16, 32 or 64 bits
///
/// Channels of a group take one 16-bit granule up to 16 channels, one 32-bit granule up to 32, else as many
/// 64-bit granules as needed. Bit c of a pixel is channel c of the group; pad bits are zero.
struct ActivationLayout {
  std::size_t height = 0, width = 0, channels = 0;
  std::size_t planes = 1;
  std::size_t groups = 1;  ///< of the consuming convolution
  Encoding encoding = Encoding::Unsigned;

  [[nodiscard]] constexpr std::size_t group_channels() const noexcept { return channels / groups; }
  [[nodiscard]] constexpr std::size_t pixel_bits() const noexcept {  ///< of one plane and group, padded
    const std::size_t c = group_channels();
    return c <= 16 ? 16 : c <= 32 ? 32 : words_for_bits(c) * 64;
  }
  [[nodiscard]] constexpr std::size_t pixel_bytes() const noexcept { return pixel_bits() / 8; }
  /// From one plane (or group) of a row to the next. A row is padded to 8 bytes.
  [[nodiscard]] constexpr std::size_t plane_stride() const noexcept {
    return words_for_bits(width * pixel_bits()) * 8;
  }
  [[nodiscard]] constexpr std::size_t row_bytes() const noexcept { return groups * planes * plane_stride(); }
  [[nodiscard]] constexpr std::size_t picture_bytes() const noexcept { return height * row_bytes(); }
  friend constexpr bool operator==(const ActivationLayout&, const ActivationLayout&) = default;
};

/// A batch of packed pictures. Never owns.
struct PackedActivations {
  const std::byte* data = nullptr;  ///< 64-byte aligned
  ActivationLayout layout{};
};

/// Decodes rows back to codes (bit j of a code = plane j): codes[picture][h][w][channels]. For tests and
/// traces.
void unpack_codes(const PackedActivations& packed, std::size_t batch, std::span<std::uint8_t> codes) noexcept;
/// The reverse; every byte of `data` is written, pad bits zero.
void pack_codes(std::span<const std::uint8_t> codes, std::size_t batch, const ActivationLayout& layout,
                std::byte* data) noexcept;

}  // namespace bitplane::kernels
