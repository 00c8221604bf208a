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

/// What of [at, at + kernel) of an axis of the padded picture lies inside the picture.
RowRange inside(std::size_t at, std::size_t kernel, std::size_t pad, std::size_t extent) noexcept {
  const auto clamped = [&](std::size_t x) { return std::min(x > pad ? x - pad : 0, extent); };
  return {clamped(at), clamped(at + kernel)};
}

RowRange pool_columns(const PoolShape& shape, std::size_t out_x) noexcept {
  return inside(out_x * shape.stride_w, shape.kernel_w, shape.pad_w, shape.width);
}

Window window_at(const PoolShape& shape, std::size_t out_y, std::size_t out_x) noexcept {
  const RowRange rows = pool_rows(shape, out_y), columns = pool_columns(shape, out_x);
  assert(rows.begin < rows.end && columns.begin < columns.end && "a window holds at least one pixel");
  return {rows.begin, rows.end, columns.begin, columns.end};
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

}  // namespace

RowRange pool_rows(const PoolShape& shape, std::size_t out_y) noexcept {
  return inside(out_y * shape.stride_h, shape.kernel_h, shape.pad_h, shape.height);
}

void max_pool_row_f32(const EpilogueKernels& kernels, const PoolShape& shape, std::size_t out_y,
                      const RowRing& x, float* y) noexcept {
  const RowRange rows = pool_rows(shape, out_y);
  FloatWindow window{.data = x.data,
                     .slots = x.slots,
                     .row_floats = shape.width * shape.channels,
                     .channels = shape.channels,
                     .row_begin = rows.begin,
                     .row_end = rows.end};
  for (std::size_t out_x = 0; out_x < shape.out_width; ++out_x, y += shape.channels) {
    const RowRange columns = pool_columns(shape, out_x);
    window.column_begin = columns.begin;
    window.column_end = columns.end;
    kernels.max_window(window, y);
  }
}

void max_pool_f32(const EpilogueKernels& kernels, const PoolShape& shape, const float* x, float* y) noexcept {
  for (std::size_t n = 0; n < shape.batch; ++n, x += shape.height * shape.width * shape.channels) {
    for (std::size_t out_y = 0; out_y < shape.out_height; ++out_y, y += shape.out_width * shape.channels)
      max_pool_row_f32(kernels, shape, out_y, {x, shape.height}, y);
  }
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
