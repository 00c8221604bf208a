// SPDX-License-Identifier: Apache-2.0
//
// The only door to stb_image and stb_image_write: their code is compiled once, in stb.cc, with static
// linkage.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bitplane/status.h"
#include "engine/data/picture.h"

namespace bitplane::engine::data {

/// PNG or JPEG, decoded to 1 or 3 channels. Messages do not name the file: the caller does.
Result<Picture> decode_with_stb(std::span<const std::uint8_t> bytes, std::size_t channels);
/// Size and stored channels (1: grey, 3: colour; alpha does not count) from the header alone; no pixels.
Result<Picture> describe_with_stb(std::span<const std::uint8_t> bytes);
Result<std::vector<std::uint8_t>> encode_png_with_stb(const Picture& picture);

}  // namespace bitplane::engine::data
