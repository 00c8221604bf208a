// SPDX-License-Identifier: Apache-2.0
//
// Resizing by a triangle filter: bilinear when enlarging; when shrinking, the triangle widens with the scale,
// so that every source pixel counts. Two passes, rows then columns.
#pragma once

#include <cstddef>

#include "engine/data/picture.h"

namespace bitplane::engine::data {

/// A part of a picture, in pixels; edges need not be whole numbers.
struct Window {
  double top = 0, left = 0, height = 0, width = 0;
};

[[nodiscard]] Window middle(const Picture& picture, double height, double width) noexcept;

[[nodiscard]] Picture resample(const Picture& picture, const Window& window, std::size_t height,
                               std::size_t width);

}  // namespace bitplane::engine::data
