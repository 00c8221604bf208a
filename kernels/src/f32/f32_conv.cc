// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cassert>

#include "bitplane/kernels/f32.h"

namespace bitplane::kernels {
namespace {

/// The rows of the padded picture that some output rows of one picture read.
struct PaddedRows {
  std::size_t begin, end;
};

PaddedRows rows_read(const ConvShape& s, std::size_t first, std::size_t last) {
  return {.begin = first * s.stride_h, .end = (last - 1) * s.stride_h + s.dilation_h * (s.kernel_h - 1) + 1};
}

/// Copies those rows of `picture` to their places in `padded` and zeroes the border that belongs to them.
void pad_rows(const ConvShape& s, const float* picture, PaddedRows rows, float* padded) {
  const std::size_t row_floats = s.width * s.channels, border = s.pad_w * s.channels;
  const std::size_t padded_floats = row_floats + 2 * border;
  for (std::size_t y = rows.begin; y < rows.end; ++y) {
    float* to = padded + y * padded_floats;
    if (y < s.pad_h || y >= s.pad_h + s.height) {
      std::fill_n(to, padded_floats, 0.0F);
      continue;
    }
    std::fill_n(to, border, 0.0F);
    std::copy_n(picture + (y - s.pad_h) * row_floats, row_floats, to + border);
    std::fill_n(to + border + row_floats, border, 0.0F);
  }
}

}  // namespace

F32Conv::F32Conv(const ConvShape& shape)
    : shape_(shape),
      padded_height_(shape.height + 2 * shape.pad_h),
      padded_width_(shape.width + 2 * shape.pad_w),
      pixel_offset_(shape.out_height() * shape.out_width()),
      filter_offset_(shape.filter_size()) {
  assert(shape.channels % shape.groups == 0 && shape.out_channels % shape.groups == 0);
  std::size_t i = 0;
  for (std::size_t y = 0; y < shape.out_height(); ++y) {
    for (std::size_t x = 0; x < shape.out_width(); ++x, ++i) {
      pixel_offset_[i] = static_cast<std::ptrdiff_t>(
          (y * shape.stride_h * padded_width_ + x * shape.stride_w) * shape.channels);
    }
  }
  i = 0;
  for (std::size_t y = 0; y < shape.kernel_h; ++y) {
    for (std::size_t x = 0; x < shape.kernel_w; ++x) {
      for (std::size_t c = 0; c < shape.channels / shape.groups; ++c, ++i) {
        filter_offset_[i] = static_cast<std::ptrdiff_t>(
            (y * shape.dilation_h * padded_width_ + x * shape.dilation_w) * shape.channels + c);
      }
    }
  }
}

std::size_t F32Conv::scratch_floats() const noexcept {
  const bool padded = shape_.pad_h != 0 || shape_.pad_w != 0;
  return padded ? padded_height_ * padded_width_ * shape_.channels : 0;
}

F32Conv::PictureRows F32Conv::picture_rows(const float* x, RowRange rows, float* scratch) const noexcept {
  const std::size_t out_h = shape_.out_height(), out_w = shape_.out_width();
  const std::size_t picture = rows.begin / out_h, first = rows.begin % out_h;
  const std::size_t last = std::min(out_h, first + rows.end - rows.begin);
  const float* a = x + picture * shape_.height * shape_.width * shape_.channels;
  if (scratch_floats() != 0) {
    pad_rows(shape_, a, rows_read(shape_, first, last), scratch);
    a = scratch;
  }
  return {.gemm = {.a = a,
                   .row_offset = pixel_offset_.data() + first * out_w,
                   .rows = (last - first) * out_w,
                   .step_offset = filter_offset_.data(),
                   .steps = shape_.filter_size(),
                   .columns = shape_.out_channels / shape_.groups,
                   .c_row_stride = shape_.out_channels},
          .rows = last - first};
}

void F32Conv::forward(const F32Kernels& kernels, const float* x, const F32Panels* group_weights, float* z,
                      RowRange rows, float* scratch) const noexcept {
  const std::size_t in_channels = shape_.channels / shape_.groups;
  const std::size_t out_channels = shape_.out_channels / shape_.groups;
  while (rows.begin < rows.end) {
    const PictureRows part = picture_rows(x, rows, scratch);
    for (std::size_t g = 0; g < shape_.groups; ++g) {
      const F32Panels& weights = group_weights[g];
      assert(weights.k() == shape_.filter_size() && weights.n() == out_channels);
      GatherGemm gemm = part.gemm;
      gemm.a += g * in_channels;
      gemm.b = weights.data();
      gemm.b_row_stride = kF32PanelWidth;
      gemm.b_panel_stride = weights.k() * kF32PanelWidth;
      gemm.c = z + g * out_channels;
      kernels.gather_gemm(gemm);
    }
    z += part.rows * shape_.out_width() * shape_.out_channels;
    rows.begin += part.rows;
  }
}

}  // namespace bitplane::kernels
