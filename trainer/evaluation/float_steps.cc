// SPDX-License-Identifier: Apache-2.0
#include "trainer/evaluation/float_steps.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "trainer/math/transcendental.h"

namespace bitplane::train {
namespace {

std::size_t pooled_size(std::size_t size, std::size_t kernel, std::size_t stride, std::size_t pad,
                        engine::PoolRounding rounding) {
  const std::size_t span = size + 2 * pad;
  if (kernel == 0 || stride == 0 || span < kernel) {
    throw std::invalid_argument("a pooling window of " + std::to_string(kernel) + " on " +
                                std::to_string(span) + " pixels");
  }
  const std::size_t room = span - kernel;
  std::size_t out = room / stride + 1;
  if (rounding == engine::PoolRounding::Ceil) {
    out = (room + stride - 1) / stride + 1;
    // Caffe: a window must start inside the picture or its left padding.
    if ((out - 1) * stride >= size + pad) --out;
  }
  return out;
}

struct Extent {
  std::size_t begin, end;
};
/// The part of window `index` that lies inside [0, size).
Extent inside(std::size_t index, std::size_t kernel, std::size_t stride, std::size_t pad, std::size_t size) {
  const std::size_t start = index * stride;
  return {.begin = start > pad ? start - pad : 0,
          .end = std::min(size, start + kernel > pad ? start + kernel - pad : 0)};
}

template <class Pool>
WindowGeometry window_geometry(const Pool& pool, const engine::NodeShape& in) {
  return {.height = in.height,
          .width = in.width,
          .channels = in.channels,
          .out_height = pooled_size(in.height, pool.kernel_h, pool.stride_h, pool.pad_h, pool.rounding),
          .out_width = pooled_size(in.width, pool.kernel_w, pool.stride_w, pool.pad_w, pool.rounding)};
}

/// Mean of the pixels of those rows and columns: [channels].
void average(const WindowGeometry& geometry, std::span<const float> x, const Extent& rows,
             const Extent& columns, std::size_t count, float* y) {
  const std::size_t channels = geometry.channels;
  std::fill_n(y, channels, 0.0F);
  for (std::size_t r = rows.begin; r < rows.end; ++r) {
    for (std::size_t c = columns.begin; c < columns.end; ++c) {
      const float* pixel = x.data() + (r * geometry.width + c) * channels;
      for (std::size_t k = 0; k < channels; ++k) y[k] += pixel[k];
    }
  }
  for (std::size_t k = 0; k < channels; ++k) y[k] /= static_cast<float>(count);
}

}  // namespace

WindowGeometry make_window_geometry(const engine::MaxPool& pool, const engine::NodeShape& in) {
  return window_geometry(pool, in);
}
WindowGeometry make_window_geometry(const engine::AveragePool& pool, const engine::NodeShape& in) {
  return window_geometry(pool, in);
}

void apply_max_pool(const WindowGeometry& geometry, const engine::MaxPool& pool, std::span<const float> z,
                    std::span<float> out) {
  const std::size_t channels = geometry.channels;
  for (std::size_t oy = 0; oy < geometry.out_height; ++oy) {
    const Extent rows = inside(oy, pool.kernel_h, pool.stride_h, pool.pad_h, geometry.height);
    for (std::size_t ox = 0; ox < geometry.out_width; ++ox) {
      const Extent columns = inside(ox, pool.kernel_w, pool.stride_w, pool.pad_w, geometry.width);
      float* best = out.data() + (oy * geometry.out_width + ox) * channels;
      std::copy_n(z.data() + (rows.begin * geometry.width + columns.begin) * channels, channels, best);
      for (std::size_t y = rows.begin; y < rows.end; ++y) {
        for (std::size_t x = columns.begin; x < columns.end; ++x) {
          const float* pixel = z.data() + (y * geometry.width + x) * channels;
          for (std::size_t c = 0; c < channels; ++c) best[c] = pixel[c] > best[c] ? pixel[c] : best[c];
        }
      }
    }
  }
}

void apply_average_pool(const WindowGeometry& geometry, const engine::AveragePool& pool,
                        std::span<const float> x, std::span<float> y) {
  // Positions of a window that the padded picture has.
  const auto padded = [](std::size_t index, std::size_t kernel, std::size_t stride, std::size_t span) {
    return std::min(index * stride + kernel, span) - index * stride;
  };
  for (std::size_t oy = 0; oy < geometry.out_height; ++oy) {
    const Extent rows = inside(oy, pool.kernel_h, pool.stride_h, pool.pad_h, geometry.height);
    for (std::size_t ox = 0; ox < geometry.out_width; ++ox) {
      const Extent columns = inside(ox, pool.kernel_w, pool.stride_w, pool.pad_w, geometry.width);
      const std::size_t count =
          pool.divisor == engine::AverageDivisor::Inside
              ? (rows.end - rows.begin) * (columns.end - columns.begin)
              : padded(oy, pool.kernel_h, pool.stride_h, geometry.height + 2 * pool.pad_h) *
                    padded(ox, pool.kernel_w, pool.stride_w, geometry.width + 2 * pool.pad_w);
      average(geometry, x, rows, columns, count,
              y.data() + (oy * geometry.out_width + ox) * geometry.channels);
    }
  }
}

void apply_shortcut(const engine::ZeroChannelShortcut& op, const engine::NodeShape& in,
                    std::span<const float> x, std::span<float> y) {
  const WindowGeometry geometry{.height = in.height, .width = in.width, .channels = in.channels};
  std::fill(y.begin(), y.end(), 0.0F);
  const std::size_t channels = op.front + in.channels + op.back;
  std::size_t at = op.front;
  for (std::size_t row = 0; row < in.height; row += op.stride_h) {
    for (std::size_t column = 0; column < in.width; column += op.stride_w, at += channels) {
      if (op.sampling == engine::ShortcutSampling::Subsample) {
        std::copy_n(x.data() + (row * in.width + column) * in.channels, in.channels, y.data() + at);
        continue;
      }
      const Extent rows{row, std::min(row + op.stride_h, in.height)};
      const Extent columns{column, std::min(column + op.stride_w, in.width)};
      average(geometry, x, rows, columns, (rows.end - rows.begin) * (columns.end - columns.begin),
              y.data() + at);
    }
  }
}

void apply_local_response(const engine::LocalResponseNorm& op, const engine::NodeShape& shape,
                          std::span<const float> x, std::span<float> y) {
  const bool across = op.scope == engine::NormScope::AcrossChannels;
  const std::size_t reach = across ? 0 : op.size / 2, half = op.size / 2;
  const auto neighbours = static_cast<double>(across ? op.size : op.size * op.size);
  const double scale = static_cast<double>(op.alpha) / neighbours;
  const auto around = [](std::size_t i, std::size_t distance, std::size_t size) {
    return Extent{.begin = i - std::min(i, distance), .end = std::min(size, i + distance + 1)};
  };
  for (std::size_t e = 0; e < x.size(); ++e) {
    const std::size_t channel = e % shape.channels, pixel = e / shape.channels;
    const Extent rows = around(pixel / shape.width, reach, shape.height);
    const Extent columns = around(pixel % shape.width, reach, shape.width);
    const Extent channels = around(channel, across ? half : 0, shape.channels);
    double sum = 0.0;
    for (std::size_t r = rows.begin; r < rows.end; ++r) {
      for (std::size_t c = columns.begin; c < columns.end; ++c) {
        for (std::size_t k = channels.begin; k < channels.end; ++k) {
          const auto value = static_cast<double>(x[(r * shape.width + c) * shape.channels + k]);
          sum += value * value;
        }
      }
    }
    const double s = static_cast<double>(op.k) + scale * sum;
    const double root = std::sqrt(s);
    const double power = op.beta == 0.75F ? 1.0 / (root * std::sqrt(root))
                                          : math::exp(-static_cast<double>(op.beta) * math::log(s));
    y[e] = static_cast<float>(static_cast<double>(x[e]) * power);
  }
}

void apply_softmax(std::size_t channels, std::span<const float> x, std::span<float> y) {
  std::vector<double> e(channels);
  for (std::size_t p = 0; p < x.size(); p += channels) {
    const auto pixel = x.subspan(p, channels);
    const auto largest = static_cast<double>(*std::max_element(pixel.begin(), pixel.end()));
    double sum = 0.0;
    for (std::size_t c = 0; c < channels; ++c) {
      e[c] = math::exp(static_cast<double>(pixel[c]) - largest);
      sum += e[c];
    }
    for (std::size_t c = 0; c < channels; ++c) y[p + c] = static_cast<float>(e[c] / sum);
  }
}

void apply_global_average(std::size_t channels, std::span<const float> x, std::span<float> y) {
  std::fill(y.begin(), y.end(), 0.0F);
  for (std::size_t p = 0; p < x.size(); p += channels) {
    for (std::size_t c = 0; c < channels; ++c) y[c] += x[p + c];
  }
  const auto pixels = static_cast<float>(x.size() / channels);
  for (float& value : y) value /= pixels;
}

}  // namespace bitplane::train
