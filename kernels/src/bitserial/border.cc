// SPDX-License-Identifier: Apache-2.0
#include "bitserial/border.h"

#include <algorithm>

namespace bitplane::kernels {

IndexRange taps_inside(const TapGeometry& geometry, std::size_t position) noexcept {
  const std::size_t start = position * geometry.stride;  // in the padded picture
  const auto first_at_least = [&](std::size_t coordinate) {
    const std::size_t tap =
        coordinate <= start ? 0 : (coordinate - start + geometry.dilation - 1) / geometry.dilation;
    return std::min(tap, geometry.kernel);
  };
  return {first_at_least(geometry.pad), first_at_least(geometry.pad + geometry.extent)};
}

BorderClasses::Direction BorderClasses::classify(const TapGeometry& geometry, std::size_t positions) {
  Direction direction;
  for (std::size_t position = 0; position < positions; ++position) {
    const IndexRange range = taps_inside(geometry, position);
    // Neither end of a range ever rises from one position to the next: equal ranges are neighbours.
    if (direction.ranges.empty() || direction.ranges.back() != range) direction.ranges.push_back(range);
    direction.class_of.push_back(direction.ranges.size() - 1);
  }
  return direction;
}

BorderClasses::BorderClasses(const ConvShape& shape)
    : rows_(classify({shape.height, shape.kernel_h, shape.stride_h, shape.pad_h, shape.dilation_h},
                     shape.out_height())),
      columns_(classify({shape.width, shape.kernel_w, shape.stride_w, shape.pad_w, shape.dilation_w},
                        shape.out_width())) {
  const auto is_whole = [&](std::size_t x) { return columns_at(x) == IndexRange{0, shape.kernel_w}; };
  const std::size_t width = shape.out_width();
  while (whole_columns_.begin < width && !is_whole(whole_columns_.begin)) ++whole_columns_.begin;
  whole_columns_.end = whole_columns_.begin;
  while (whole_columns_.end < width && is_whole(whole_columns_.end)) ++whole_columns_.end;
}

}  // namespace bitplane::kernels
