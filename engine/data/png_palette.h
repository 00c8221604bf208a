// SPDX-License-Identifier: Apache-2.0
//
// stb_image keeps a PNG's palette in an array on the stack, fills what the file has of it and
// looks up what the pixels say: pixels beyond a short palette would be remains of other calls.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace bitplane::engine::data {

/// The file with its palette (chunk PLTE, of red, green, blue bytes) filled with black to 256 entries; the
/// chunk's checksum stays, stb_image does not look at it. Empty for a file that needs no change: not a PNG,
/// no palette, a whole one, or one that is broken.
[[nodiscard]] std::vector<std::uint8_t> with_whole_palette(std::span<const std::uint8_t> png);

}  // namespace bitplane::engine::data
