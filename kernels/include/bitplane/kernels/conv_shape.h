// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace bitplane::kernels {

/// The geometry of a 2-D convolution on NHWC tensors; a linear layer is height = width = kernel = 1.
/// Channel counts are of the whole tensor, not of one group.
struct ConvShape {
  std::size_t batch = 1;
  std::size_t height = 1, width = 1, channels = 1;
  std::size_t out_channels = 1;
  std::size_t kernel_h = 1, kernel_w = 1;
  std::size_t stride_h = 1, stride_w = 1;
  std::size_t pad_h = 0, pad_w = 0;  ///< on both sides
  std::size_t dilation_h = 1, dilation_w = 1;
  std::size_t groups = 1;

  [[nodiscard]] constexpr std::size_t out_height() const noexcept {
    return (height + 2 * pad_h - (dilation_h * (kernel_h - 1) + 1)) / stride_h + 1;
  }
  [[nodiscard]] constexpr std::size_t out_width() const noexcept {
    return (width + 2 * pad_w - (dilation_w * (kernel_w - 1) + 1)) / stride_w + 1;
  }
  [[nodiscard]] constexpr std::size_t out_pixels() const noexcept {
    return batch * out_height() * out_width();
  }
  /// Elements of one filter, in K-order (kernel row, kernel column, channel of the group).
  [[nodiscard]] constexpr std::size_t filter_size() const noexcept {
    return kernel_h * kernel_w * (channels / groups);
  }
  [[nodiscard]] constexpr std::size_t taps() const noexcept { return kernel_h * kernel_w; }
  /// Multiply-accumulates of the whole batch, padded positions counted.
  [[nodiscard]] constexpr std::size_t macs() const noexcept {
    return out_pixels() * out_channels * filter_size();
  }
  friend bool operator==(const ConvShape&, const ConvShape&) = default;
};

/// [begin, end) of whatever is counted.
struct IndexRange {
  std::size_t begin = 0, end = 0;
  friend bool operator==(const IndexRange&, const IndexRange&) = default;
};

/// A range of output rows: output row r is row r % out_height() of picture r / out_height().
struct RowRange {
  std::size_t begin = 0, end = 0;
};

}  // namespace bitplane::kernels
