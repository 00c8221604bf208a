// SPDX-License-Identifier: Apache-2.0
#include "engine/data/png_palette.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace bitplane::engine::data {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::array<std::uint8_t, 8> kSignature{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
/// A chunk: length of the data, type, data, checksum; numbers are big-endian.
constexpr std::size_t kLength = 4, kType = 4, kChecksum = 4;
constexpr std::size_t kEntry = 3, kPalette = 256 * kEntry;

std::size_t length_at(Bytes png, std::size_t at) {
  std::size_t length = 0;
  for (std::size_t i = 0; i < kLength; ++i) length = length << 8U | png[at + i];
  return length;
}

bool type_is(Bytes png, std::size_t chunk, std::string_view type) {
  return std::equal(type.begin(), type.end(), png.begin() + static_cast<std::ptrdiff_t>(chunk + kLength),
                    [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; });
}

/// Where the chunk PLTE begins; the file's size if it has none.
std::size_t find_palette(Bytes png) {
  if (png.size() < kSignature.size() || !std::equal(kSignature.begin(), kSignature.end(), png.begin()))
    return png.size();
  for (std::size_t at = kSignature.size(); png.size() - at >= kLength + kType + kChecksum;) {
    const std::size_t length = length_at(png, at);
    if (length > png.size() - at - kLength - kType - kChecksum) break;
    if (type_is(png, at, "PLTE")) return at;
    at += kLength + kType + length + kChecksum;
  }
  return png.size();
}

}  // namespace

std::vector<std::uint8_t> with_whole_palette(Bytes png) {
  const std::size_t chunk = find_palette(png);
  if (chunk == png.size()) return {};
  const std::size_t length = length_at(png, chunk);
  if (length >= kPalette || length % kEntry != 0) return {};
  std::vector<std::uint8_t> filled(png.begin(), png.end());
  filled[chunk + 2] = static_cast<std::uint8_t>(kPalette >> 8U);
  filled[chunk + 3] = static_cast<std::uint8_t>(kPalette & 0xffU);
  const std::size_t end = chunk + kLength + kType + length;
  filled.insert(filled.begin() + static_cast<std::ptrdiff_t>(end), kPalette - length, std::uint8_t{0});
  return filled;
}

}  // namespace bitplane::engine::data
