// SPDX-License-Identifier: Apache-2.0
//
// A look at a JPEG file before stb_image decodes it: versions up to 2.27 take a Huffman table of more symbols
// than there are, and write behind the end of theirs.
#pragma once

#include <cstdint>
#include <span>

namespace bitplane::engine::data {

/// Does a segment DHT that a decoder would meet hold a table of more than 256 symbols (ITU-T T.81, B.2.4.2)?
/// False for what is no JPEG file, and behind damage that ends the decoding.
[[nodiscard]] bool has_overlong_huffman_table(std::span<const std::uint8_t> bytes) noexcept;

}  // namespace bitplane::engine::data
