// SPDX-License-Identifier: Apache-2.0
#include "bitserial/windows.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "bitserial/gather.h"

namespace bitplane::kernels {
namespace {

constexpr std::size_t kWordBytes = sizeof(std::uint64_t);

/// Rows of the picture, padding included, from the first tap to the last of one output row.
std::size_t span_rows(const ConvShape& shape) noexcept {
  return shape.dilation_h * (shape.kernel_h - 1) + 1;
}
/// The same for `count` > 0 output rows of one picture.
std::size_t padded_rows(const ConvShape& shape, std::size_t count) noexcept {
  return (count - 1) * shape.stride_h + span_rows(shape);
}
std::size_t padded_width(const ConvShape& shape) noexcept {
  return (shape.out_width() - 1) * shape.stride_w + shape.dilation_w * (shape.kernel_w - 1) + 1;
}

/// A call of memset costs more than these few words.
void zero_words(std::byte* to, std::size_t bytes) noexcept {
  for (std::size_t at = 0; at < bytes; at += kWordBytes) std::memset(to + at, 0, kWordBytes);
}

/// One row of the picture, all groups and planes.
void copy_row(const ConvShape& shape, const ActivationLayout& layout, const WindowLayout& windows,
              const std::byte* from, std::byte* to) noexcept {
  const std::size_t pixel = layout.pixel_bytes(), width = padded_width(shape);
  const std::size_t before = std::min(shape.pad_w, width), inside = std::min(shape.width, width - before);
  for (std::size_t run = 0; run < layout.groups * layout.planes; ++run) {
    zero_words(to, before * pixel);
    std::memcpy(to + before * pixel, from, inside * pixel);
    zero_words(to + (before + inside) * pixel, (width - before - inside) * pixel);
    from += layout.plane_stride();
    to += windows.plane_stride;
  }
}

}  // namespace

WindowLayout make_window_layout(const ConvShape& shape, const ActivationLayout& input) {
  const std::size_t pixel = input.pixel_bytes(), pixel_words = pixel / kWordBytes;
  WindowLayout windows;
  windows.words = window_words(shape, input);
  if (pixel % kWordBytes != 0) {
    windows.plane_stride = windows.words * kWordBytes;
    for (std::size_t k = 0; k < windows.words; ++k) windows.word_offsets.push_back(k * kWordBytes);
    return windows;
  }
  const bool padded = shape.pad_h != 0 || shape.pad_w != 0;
  windows.source = padded ? WindowSource::PaddedRows : WindowSource::Picture;
  windows.plane_stride = padded ? padded_width(shape) * pixel : input.plane_stride();
  windows.row_bytes = input.groups * input.planes * windows.plane_stride;
  for (std::size_t ky = 0; ky < shape.kernel_h; ++ky) {
    for (std::size_t kx = 0; kx < shape.kernel_w; ++kx) {
      const std::size_t tap = ky * shape.dilation_h * windows.row_bytes + kx * shape.dilation_w * pixel;
      for (std::size_t k = 0; k < pixel_words; ++k) windows.word_offsets.push_back(tap + k * kWordBytes);
    }
  }
  return windows;
}

std::size_t most_padded_rows(const ConvShape& shape, std::size_t output_rows) noexcept {
  const std::size_t pictures = std::min(output_rows, (output_rows - 1) / shape.out_height() + 2);
  return output_rows * shape.stride_h + pictures * span_rows(shape);
}

void copy_padded_rows(const ConvShape& shape, const PackedActivations& input, const WindowLayout& windows,
                      const OutputRows& output, std::byte* to) noexcept {
  assert(windows.source == WindowSource::PaddedRows);
  const ActivationLayout& layout = input.layout;
  const std::size_t height = shape.out_height();
  std::size_t picture = output.row / height, first = output.row % height;
  for (std::size_t left = output.rows; left != 0; ++picture, first = 0) {
    const std::size_t rows = std::min(left, height - first);
    const std::byte* from = input.data + picture * layout.picture_bytes();
    for (std::size_t i = 0; i < padded_rows(shape, rows); ++i, to += windows.row_bytes) {
      const std::size_t y = first * shape.stride_h + i;  // counted from the padding's first row
      if (y < shape.pad_h || y - shape.pad_h >= shape.height) {
        std::memset(to, 0, windows.row_bytes);
      } else {
        copy_row(shape, layout, windows, from + (y - shape.pad_h) * layout.row_bytes(), to);
      }
    }
    left -= rows;
  }
}

std::size_t padded_row_of(const ConvShape& shape, const OutputRows& output, std::size_t index) noexcept {
  const std::size_t height = shape.out_height(), first = output.row % height;
  if (first + index < height) return index * shape.stride_h;
  const std::size_t whole = (first + index) / height - 1;  // pictures between the first and this one
  return padded_rows(shape, height - first) + whole * padded_rows(shape, height) +
         (first + index) % height * shape.stride_h;
}

}  // namespace bitplane::kernels
