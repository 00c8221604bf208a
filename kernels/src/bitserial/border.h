// SPDX-License-Identifier: Apache-2.0
//
// Which taps of a window lie inside the picture. The taps inside are a rectangle: a range of kernel rows
// times a range of kernel columns. Output pixels with the same rectangle form a *border class*; a whole
// picture has few (9 for 3x3 with padding 1), so what depends on the taps inside is tabled per class at load.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bitplane/kernels/conv_shape.h"

namespace bitplane::kernels {

/// One direction of a convolution.
struct TapGeometry {
  std::size_t extent = 1, kernel = 1, stride = 1, pad = 0, dilation = 1;
};
/// Taps whose coordinate position * stride + tap * dilation - pad lies in [0, extent).
[[nodiscard]] IndexRange taps_inside(const TapGeometry& geometry, std::size_t position) noexcept;

class BorderClasses {
 public:
  BorderClasses() = default;
  explicit BorderClasses(const ConvShape& shape);

  [[nodiscard]] std::size_t size() const noexcept { return rows_.ranges.size() * columns_.ranges.size(); }
  [[nodiscard]] std::size_t of(std::size_t out_row, std::size_t out_column) const noexcept {
    return rows_.class_of[out_row] * columns_.ranges.size() + columns_.class_of[out_column];
  }
  [[nodiscard]] IndexRange rows(std::size_t border_class) const noexcept {
    return rows_.ranges[border_class / columns_.ranges.size()];
  }
  [[nodiscard]] IndexRange columns(std::size_t border_class) const noexcept {
    return columns_.ranges[border_class % columns_.ranges.size()];
  }
  [[nodiscard]] IndexRange rows_at(std::size_t out_row) const noexcept {
    return rows_.ranges[rows_.class_of[out_row]];
  }
  [[nodiscard]] IndexRange columns_at(std::size_t out_column) const noexcept {
    return columns_.ranges[columns_.class_of[out_column]];
  }
  /// Output columns that have all kernel columns inside: one range, perhaps empty.
  [[nodiscard]] IndexRange whole_columns() const noexcept { return whole_columns_; }
  [[nodiscard]] std::size_t taps(std::size_t border_class) const noexcept {
    const IndexRange r = rows(border_class), c = columns(border_class);
    return (r.end - r.begin) * (c.end - c.begin);
  }

 private:
  struct Direction {
    std::vector<std::size_t> class_of;  // [output position]
    std::vector<IndexRange> ranges;     // [class]
  };
  static Direction classify(const TapGeometry& geometry, std::size_t positions);
  Direction rows_, columns_;
  IndexRange whole_columns_;
};

}  // namespace bitplane::kernels
