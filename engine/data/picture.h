// SPDX-License-Identifier: Apache-2.0
//
// Single pictures: PNG and JPEG in, PNG out, and the changes that bring one to a model's size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bitplane/status.h"

namespace bitplane::engine::data {

struct Picture {
  std::size_t height = 0, width = 0, channels = 0;  ///< channels 1 or 3
  std::vector<std::uint8_t> pixels;                 ///< [height][width][channels]
};

/// Decodes to `channels` (1: luminance, 3: RGB). Errors name the file and the decoder's reason.
Result<Picture> read_picture(const std::string& path, std::size_t channels);
Status write_png(const std::string& path, const Picture& picture);

enum class Fit : std::uint8_t { Resize, CenterCrop };
/// Resize: scales to the size, aspect ratio given up. CenterCrop: scales the shorter side, crops the middle.
Result<Picture> fit_picture(const Picture& picture, std::size_t height, std::size_t width, Fit fit);

}  // namespace bitplane::engine::data
