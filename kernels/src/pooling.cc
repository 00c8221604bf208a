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

/// Calls body(picture of x, window, output pixel) for every output pixel.
template <class Body>
void for_windows(const PoolShape& shape, Body body) noexcept {
  std::size_t out = 0;
  for (std::size_t n = 0; n < shape.batch; ++n) {
    for (std::size_t out_y = 0; out_y < shape.out_height; ++out_y) {
      for (std::size_t out_x = 0; out_x < shape.out_width; ++out_x, ++out) {
        body(n * shape.height * shape.width, window_at(shape, out_y, out_x), out);
      }
    }
  }
}

/// Ranks of consecutive channels. A constant length, and no pointer that may alias: the loops over it become
/// byte-wise vector maxima in baseline code, at -O2 too.
constexpr std::size_t kRankBlock = 64;
using RankBlock = std::uint8_t[kRankBlock];

/// Where a channel takes the minimum, complements turn the order around.
void load_ranks(const std::uint8_t* from, std::size_t count, const RankBlock& flips, RankBlock& to) noexcept {
  if (count == kRankBlock) {
    std::memcpy(to, from, kRankBlock);
  } else {
    std::memcpy(to, from, count);
  }
  for (std::size_t c = 0; c < kRankBlock; ++c) to[c] = static_cast<std::uint8_t>(to[c] ^ flips[c]);
}

struct WindowSize {
  std::size_t rows = 0, columns = 0;
};
/// In floats.
struct Strides {
  std::size_t row = 0, pixel = 0;
};

/// The maxima of one window: body(its pixel), row after row.
template <class Body>
void for_pixels(const float* corner, const WindowSize& size, const Strides& strides, Body body) noexcept {
  for (std::size_t row = 0; row < size.rows; ++row) {
    for (std::size_t column = 0; column < size.columns; ++column)
      body(corner + row * strides.row + column * strides.pixel);
  }
}

float largest(const float* corner, const WindowSize& size, const Strides& strides) noexcept {
  float best = *corner;
  for_pixels(corner, size, strides, [&](const float* pixel) { best = *pixel > best ? *pixel : best; });
  return best;
}

/// Four floats as a vector of baseline code: as plain arrays, GCC 12 keeps the maxima in memory.
using Four [[gnu::vector_size(16)]] = float;
constexpr std::size_t kFloatBlock = 16;

Four load_four(const float* from) noexcept {
  Four x;
  std::memcpy(&x, from, sizeof(x));
  return x;
}

/// kFloatBlock consecutive channels, which stay in registers while the window passes by.
void largest_of_block(const float* corner, const WindowSize& size, const Strides& strides,
                      float* y) noexcept {
  Four best[4] = {load_four(corner), load_four(corner + 4), load_four(corner + 8), load_four(corner + 12)};
  for_pixels(corner, size, strides, [&](const float* pixel) {
    const Four x[4] = {load_four(pixel), load_four(pixel + 4), load_four(pixel + 8), load_four(pixel + 12)};
    best[0] = x[0] > best[0] ? x[0] : best[0];
    best[1] = x[1] > best[1] ? x[1] : best[1];
    best[2] = x[2] > best[2] ? x[2] : best[2];
    best[3] = x[3] > best[3] ? x[3] : best[3];
  });
  std::memcpy(y, best, sizeof(best));
}

}  // namespace

void max_pool_f32(const PoolShape& shape, const float* x, float* y) noexcept {
  const std::size_t channels = shape.channels;
  for_windows(shape, [&](std::size_t picture, const Window& window, std::size_t out) {
    const float* corner = x + (picture + window.y_first * shape.width + window.x_first) * channels;
    const WindowSize size{window.y_last - window.y_first, window.x_last - window.x_first};
    const Strides strides{shape.width * channels, channels};
    std::size_t c = 0;
    for (; c + kFloatBlock <= channels; c += kFloatBlock)
      largest_of_block(corner + c, size, strides, y + out * channels + c);
    for (; c < channels; ++c) y[out * channels + c] = largest(corner + c, size, strides);
  });
}

void max_pool_ranks(const PoolShape& shape, const std::uint8_t* x, const std::uint8_t* minimum,
                    std::uint8_t* y) noexcept {
  const std::size_t channels = shape.channels;
  for (std::size_t first = 0; first < channels; first += kRankBlock) {
    const std::size_t count = std::min(kRankBlock, channels - first);
    RankBlock flips{};
    for (std::size_t c = 0; c < count; ++c) flips[c] = minimum[first + c] != 0 ? 0xFF : 0;
    for_windows(shape, [&](std::size_t picture, const Window& window, std::size_t out) {
      RankBlock best{};
      for (std::size_t iy = window.y_first; iy < window.y_last; ++iy) {
        for (std::size_t ix = window.x_first; ix < window.x_last; ++ix) {
          RankBlock ranks{};
          load_ranks(x + (picture + iy * shape.width + ix) * channels + first, count, flips, ranks);
          for (std::size_t c = 0; c < kRankBlock; ++c) best[c] = std::max(best[c], ranks[c]);
        }
      }
      for (std::size_t c = 0; c < kRankBlock; ++c) best[c] = static_cast<std::uint8_t>(best[c] ^ flips[c]);
      if (count == kRankBlock) {
        std::memcpy(y + out * channels + first, best, kRankBlock);
      } else {
        std::memcpy(y + out * channels + first, best, count);
      }
    });
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
