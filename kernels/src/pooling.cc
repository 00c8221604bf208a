// SPDX-License-Identifier: Apache-2.0
#include "bitplane/kernels/pooling.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>

namespace bitplane::kernels {
namespace {

/// Pixels of a window that lie inside the picture, as [first, last) in both directions.
struct Window {
  std::size_t y_first = 0, y_last = 0, x_first = 0, x_last = 0;
};

Window window_at(const PoolShape& shape, std::size_t out_y, std::size_t out_x) noexcept {
  const std::size_t y = out_y * shape.stride_h, x = out_x * shape.stride_w;  // in the padded picture
  const auto inside = [](std::size_t at, std::size_t pad, std::size_t extent) {
    return std::min(at > pad ? at - pad : 0, extent);
  };
  const Window window{
      inside(y, shape.pad_h, shape.height), inside(y + shape.kernel_h, shape.pad_h, shape.height),
      inside(x, shape.pad_w, shape.width), inside(x + shape.kernel_w, shape.pad_w, shape.width)};
  assert(window.y_first < window.y_last && window.x_first < window.x_last &&
         "a window holds at least one pixel");
  return window;
}

/// y[pixel][c] = merge over the pixels of the window, merge(accumulated, next, c).
template <class T, class Merge>
void pool(const PoolShape& shape, const T* x, T* y, Merge merge) noexcept {
  for (std::size_t n = 0; n < shape.batch; ++n) {
    const T* picture = x + n * shape.height * shape.width * shape.channels;
    for (std::size_t out_y = 0; out_y < shape.out_height; ++out_y) {
      for (std::size_t out_x = 0; out_x < shape.out_width; ++out_x, y += shape.channels) {
        const Window window = window_at(shape, out_y, out_x);
        for (std::size_t iy = window.y_first; iy < window.y_last; ++iy) {
          for (std::size_t ix = window.x_first; ix < window.x_last; ++ix) {
            const T* pixel = picture + (iy * shape.width + ix) * shape.channels;
            if (iy == window.y_first && ix == window.x_first) {
              std::copy_n(pixel, shape.channels, y);
            } else {
              for (std::size_t c = 0; c < shape.channels; ++c) y[c] = merge(y[c], pixel[c], c);
            }
          }
        }
      }
    }
  }
}

}  // namespace

void max_pool_f32(const PoolShape& shape, const float* x, float* y) noexcept {
  pool(shape, x, y, [](float a, float b, std::size_t) { return b > a ? b : a; });
}

void max_pool_ranks(const PoolShape& shape, const std::uint8_t* x, const std::uint8_t* minimum,
                    std::uint8_t* y) noexcept {
  pool(shape, x, y, [minimum](std::uint8_t a, std::uint8_t b, std::size_t c) {
    // Complements turn the order around; without a branch, the loop over channels becomes vectors.
    const auto flip = static_cast<std::uint8_t>(minimum[c] != 0 ? 0xFF : 0);
    const auto fa = static_cast<std::uint8_t>(a ^ flip), fb = static_cast<std::uint8_t>(b ^ flip);
    return static_cast<std::uint8_t>((fa > fb ? fa : fb) ^ flip);
  });
}

void pack_ranks_row(const std::uint8_t* ranks, const std::uint8_t* code_of_rank, std::size_t row,
                    const ActivationLayout& layout, std::byte* planes) noexcept {
  const std::size_t granule = layout.pixel_bytes(), group_channels = layout.group_channels();
  std::byte* row_start = planes + row * layout.row_bytes();
  std::memset(row_start, 0, layout.row_bytes());
  for (std::size_t x = 0; x < layout.width; ++x) {
    for (std::size_t group = 0; group < layout.groups; ++group, ranks += group_channels) {
      std::byte* pixel = row_start + group * layout.planes * layout.plane_stride() + x * granule;
      for (std::size_t c = 0; c < group_channels; c += 8) {
        std::uint64_t codes = 0;  // of 8 channels, one byte each
        for (std::size_t i = 0; i < std::min<std::size_t>(8, group_channels - c); ++i) {
          codes |= std::uint64_t{code_of_rank[ranks[c + i]]} << (8 * i);
        }
        for (std::size_t plane = 0; plane < layout.planes; ++plane) {
          // Bit 8i of the masked word lands on bit 56 + i of the product, without carries.
          const std::uint64_t bits = (((codes >> plane) & 0x0101010101010101U) * 0x0102040810204080U) >> 56;
          pixel[plane * layout.plane_stride() + c / 8] = static_cast<std::byte>(bits);
        }
      }
    }
  }
}

void global_average_pool_f32(std::size_t batch, std::size_t pixels, std::size_t channels, const float* x,
                             float* y) noexcept {
  const auto count = static_cast<float>(pixels);
  for (std::size_t n = 0; n < batch; ++n, y += channels) {
    std::fill_n(y, channels, 0.0F);
    for (std::size_t pixel = 0; pixel < pixels; ++pixel, x += channels) {
      for (std::size_t c = 0; c < channels; ++c) y[c] += x[c];
    }
    for (std::size_t c = 0; c < channels; ++c) y[c] /= count;
  }
}

void preprocess_u8(std::size_t pixels, std::size_t channels, const std::uint8_t* u, const float* scale,
                   const float* shift, float* x) noexcept {
  for (std::size_t pixel = 0; pixel < pixels; ++pixel, u += channels, x += channels) {
    for (std::size_t c = 0; c < channels; ++c) x[c] = std::fma(static_cast<float>(u[c]), scale[c], shift[c]);
  }
}

}  // namespace bitplane::kernels
