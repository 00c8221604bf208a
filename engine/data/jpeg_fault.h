// SPDX-License-Identifier: Apache-2.0
//
// A look at a JPEG file before stb_image decodes it. Versions up to 2.27 take a Huffman table of more symbols
// than there are, and write behind the end of theirs; and they decode a file that has no tables or no scan,
// from whatever lies in memory.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace bitplane::engine::data {

/// What is wrong with the segments that a decoder would meet (ITU-T T.81, B.2.4.2): "a JPEG ...". Empty for
/// what is no JPEG file, and for damage that a decoder notices.
[[nodiscard]] std::string_view jpeg_fault(std::span<const std::uint8_t> bytes) noexcept;

}  // namespace bitplane::engine::data
