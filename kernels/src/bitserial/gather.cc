// SPDX-License-Identifier: Apache-2.0
#include "bitserial/gather.h"

#include <cstdint>
#include <cstring>

#include "bitserial/border.h"

namespace bitplane::kernels {
namespace {

// Runs are short (2 to some 100 bytes, even): calls of memcpy would cost more than the copies.
inline void copy_run(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
  for (; bytes >= 8; bytes -= 8, to += 8, from += 8) std::memcpy(to, from, 8);
  if ((bytes & 4) != 0) {
    std::memcpy(to, from, 4);
    to += 4;
    from += 4;
  }
  if ((bytes & 2) != 0) std::memcpy(to, from, 2);
}

}  // namespace

void gather_window(const ConvShape& shape, const PackedActivations& input, std::size_t group,
                   const OutputPixel& pixel, std::byte* window) noexcept {
  const ActivationLayout& layout = input.layout;
  const std::size_t granule = layout.pixel_bytes();
  const std::size_t plane_bytes = window_words(shape, layout) * sizeof(std::uint64_t);
  const std::size_t plane_stride = layout.plane_stride();
  const TapRange rows =
      taps_inside({shape.height, shape.kernel_h, shape.stride_h, shape.pad_h, shape.dilation_h}, pixel.y);
  const TapRange columns =
      taps_inside({shape.width, shape.kernel_w, shape.stride_w, shape.pad_w, shape.dilation_w}, pixel.x);
  if ((rows.end - rows.begin) * (columns.end - columns.begin) != shape.taps()) {
    std::memset(window, 0, layout.planes * plane_bytes);
  } else {  // only the last word may have bytes that no tap writes
    for (std::size_t plane = 0; plane < layout.planes; ++plane) {
      std::memset(window + (plane + 1) * plane_bytes - sizeof(std::uint64_t), 0, sizeof(std::uint64_t));
    }
  }
  if (rows.begin >= rows.end || columns.begin >= columns.end) return;
  const std::size_t y0 = pixel.y * shape.stride_h + rows.begin * shape.dilation_h - shape.pad_h;
  const std::size_t x0 = pixel.x * shape.stride_w + columns.begin * shape.dilation_w - shape.pad_w;
  const std::byte* first = input.data + pixel.picture * layout.picture_bytes() + y0 * layout.row_bytes() +
                           group * layout.planes * plane_stride + x0 * granule;
  const std::size_t row_step = shape.dilation_h * layout.row_bytes();
  const bool contiguous = shape.dilation_w == 1;
  const std::size_t runs = contiguous ? 1 : columns.end - columns.begin;
  const std::size_t run_bytes = contiguous ? (columns.end - columns.begin) * granule : granule;
  for (std::size_t plane = 0; plane < layout.planes; ++plane) {
    const std::byte* from = first + plane * plane_stride;
    std::byte* to = window + plane * plane_bytes + (rows.begin * shape.kernel_w + columns.begin) * granule;
    for (std::size_t ky = rows.begin; ky < rows.end; ++ky, from += row_step, to += shape.kernel_w * granule) {
      for (std::size_t run = 0; run < runs; ++run) {
        copy_run(to + run * granule, from + run * shape.dilation_w * granule, run_bytes);
      }
    }
  }
}

}  // namespace bitplane::kernels
