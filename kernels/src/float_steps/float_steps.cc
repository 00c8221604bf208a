// SPDX-License-Identifier: Apache-2.0
#include "bitplane/kernels/float_steps.h"

#include <algorithm>
#include <cmath>

#include "float_steps/exp_log.h"

namespace bitplane::kernels {
namespace {

/// Of a window along one axis: the pixels inside the picture, and how many positions the padded picture has.
struct Extent {
  std::size_t begin = 0, end = 0, padded = 0;
};

Extent extent_of(std::size_t start, std::size_t kernel, std::size_t pad, std::size_t size) noexcept {
  const std::size_t last = std::min(start + kernel, size + 2 * pad);
  return {.begin = start > pad ? start - pad : 0,
          .end = std::min(last > pad ? last - pad : 0, size),
          .padded = last - start};
}

/// A picture's pixels: rows of `width`, `channels` floats each.
struct Pixels {
  const float* data;
  std::size_t width, channels;
};

/// Channels that are summed together, in registers: y might alias x for all that the compiler knows.
constexpr std::size_t kAveraged = 16;

template <std::size_t kChannels>
void average_channels(const Pixels& x, const Extent& rows, const Extent& columns, std::size_t first,
                      float count, float* y) noexcept {
  float sums[kChannels] = {};
  for (std::size_t iy = rows.begin; iy < rows.end; ++iy) {
    const float* pixel = x.data + (iy * x.width + columns.begin) * x.channels + first;
    for (std::size_t ix = columns.begin; ix < columns.end; ++ix, pixel += x.channels) {
      for (std::size_t c = 0; c < kChannels; ++c) sums[c] += pixel[c];
    }
  }
  for (std::size_t c = 0; c < kChannels; ++c) y[first + c] = sums[c] / count;
}

void average(const Pixels& x, const Extent& rows, const Extent& columns, float count, float* y) noexcept {
  std::size_t c = 0;
  for (; c + kAveraged <= x.channels; c += kAveraged)
    average_channels<kAveraged>(x, rows, columns, c, count, y);
  for (; c < x.channels; ++c) average_channels<1>(x, rows, columns, c, count, y);
}

/// Sums of squares of some neighbouring channels of a pixel.
constexpr std::size_t kBlock = 64;
struct SquareSums {
  std::size_t first = 0, count = 0;  ///< channels
  double of[kBlock];
};

/// y = x / s^beta
void divide_by_power(const LocalResponse& norm, const SquareSums& sums, const float* x, float* y) noexcept {
  for (std::size_t i = 0; i < sums.count; ++i) {
    const double s = norm.k + norm.scale * sums.of[i];
    double power = 0.0;
    if (norm.beta == 0.75) {
      const double root = std::sqrt(s);
      power = 1.0 / (root * std::sqrt(root));
    } else {
      power = exact_exp(-norm.beta * exact_log(s));
    }
    y[sums.first + i] = static_cast<float>(static_cast<double>(x[sums.first + i]) * power);
  }
}

double square(float x) noexcept {
  return static_cast<double>(x) * static_cast<double>(x);
}

void sum_channels(const LocalResponse& norm, const float* pixel, SquareSums& sums) noexcept {
  const std::size_t half = norm.size / 2;
  for (std::size_t i = 0; i < sums.count; ++i) {
    const std::size_t c = sums.first + i, end = std::min(c + half + 1, norm.channels);
    sums.of[i] = 0.0;
    for (std::size_t j = c > half ? c - half : 0; j < end; ++j) sums.of[i] += square(pixel[j]);
  }
}

void sum_pixels(const Pixels& x, const Extent& rows, const Extent& columns, SquareSums& sums) noexcept {
  std::fill_n(sums.of, sums.count, 0.0);
  for (std::size_t iy = rows.begin; iy < rows.end; ++iy) {
    const float* pixel = x.data + (iy * x.width + columns.begin) * x.channels + sums.first;
    for (std::size_t ix = columns.begin; ix < columns.end; ++ix, pixel += x.channels) {
      for (std::size_t i = 0; i < sums.count; ++i) sums.of[i] += square(pixel[i]);
    }
  }
}

void normalize_pixel(const LocalResponse& norm, const float* picture, std::size_t py, std::size_t px,
                     float* y) noexcept {
  const Extent rows = extent_of(py, norm.size, norm.size / 2, norm.height);
  const Extent columns = extent_of(px, norm.size, norm.size / 2, norm.width);
  const float* pixel = picture + (py * norm.width + px) * norm.channels;
  SquareSums sums;
  for (sums.first = 0; sums.first < norm.channels; sums.first += kBlock) {
    sums.count = std::min(kBlock, norm.channels - sums.first);
    if (norm.scope == LocalResponse::Scope::Channels) {
      sum_channels(norm, pixel, sums);
    } else {
      sum_pixels({picture, norm.width, norm.channels}, rows, columns, sums);
    }
    divide_by_power(norm, sums, pixel, y);
  }
}

}  // namespace

void average_pool_f32(const PoolShape& shape, AverageOver over, const float* x, float* y) noexcept {
  const std::size_t picture = shape.height * shape.width * shape.channels;
  for (std::size_t n = 0; n < shape.batch; ++n, x += picture) {
    for (std::size_t oy = 0; oy < shape.out_height; ++oy) {
      const Extent rows = extent_of(oy * shape.stride_h, shape.kernel_h, shape.pad_h, shape.height);
      for (std::size_t ox = 0; ox < shape.out_width; ++ox, y += shape.channels) {
        const Extent columns = extent_of(ox * shape.stride_w, shape.kernel_w, shape.pad_w, shape.width);
        const std::size_t count = over == AverageOver::Padded
                                      ? rows.padded * columns.padded
                                      : (rows.end - rows.begin) * (columns.end - columns.begin);
        average({x, shape.width, shape.channels}, rows, columns, static_cast<float>(count), y);
      }
    }
  }
}

void zero_channel_shortcut_f32(const ZeroChannelShape& shape, const float* x, float* y) noexcept {
  const bool first = shape.sampling == Sampling::First;
  const std::size_t window_h = first ? 1 : shape.stride_h, window_w = first ? 1 : shape.stride_w;
  const std::size_t picture = shape.height * shape.width * shape.channels;
  for (std::size_t n = 0; n < shape.batch; ++n, x += picture) {
    for (std::size_t oy = 0; oy < shape.out_height(); ++oy) {
      const Extent rows = extent_of(oy * shape.stride_h, window_h, 0, shape.height);
      for (std::size_t ox = 0; ox < shape.out_width(); ++ox, y += shape.out_channels()) {
        const Extent columns = extent_of(ox * shape.stride_w, window_w, 0, shape.width);
        std::fill_n(y, shape.front, 0.0F);
        if (first) {
          const std::size_t pixel = rows.begin * shape.width + columns.begin;
          std::copy_n(x + pixel * shape.channels, shape.channels, y + shape.front);
        } else {
          const std::size_t count = (rows.end - rows.begin) * (columns.end - columns.begin);
          average({x, shape.width, shape.channels}, rows, columns, static_cast<float>(count),
                  y + shape.front);
        }
        std::fill_n(y + shape.front + shape.channels, shape.back, 0.0F);
      }
    }
  }
}

void local_response_norm_f32(const LocalResponse& norm, const float* x, float* y) noexcept {
  const std::size_t picture = norm.height * norm.width * norm.channels;
  for (std::size_t n = 0; n < norm.batch; ++n, x += picture) {
    for (std::size_t py = 0; py < norm.height; ++py) {
      for (std::size_t px = 0; px < norm.width; ++px, y += norm.channels) {
        normalize_pixel(norm, x, py, px, y);
      }
    }
  }
}

void softmax_f32(std::size_t pixels, std::size_t channels, const float* x, float* y) noexcept {
  for (std::size_t p = 0; p < pixels; ++p, x += channels, y += channels) {
    const auto largest = static_cast<double>(*std::max_element(x, x + channels));
    double sum = 0.0;
    for (std::size_t c = 0; c < channels; ++c) sum += exact_exp(static_cast<double>(x[c]) - largest);
    // Computed again rather than kept: a step allocates nothing.
    for (std::size_t c = 0; c < channels; ++c) {
      y[c] = static_cast<float>(exact_exp(static_cast<double>(x[c]) - largest) / sum);
    }
  }
}

}  // namespace bitplane::kernels
