// SPDX-License-Identifier: Apache-2.0
#include "trainer/ops/pooling.h"

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

#include "trainer/autograd/profile.h"
#include "trainer/tensor/row_loops.h"

namespace bitplane::train {
namespace {

constexpr std::size_t kMaxKernel = 15;  // its taps are numbered in 8 bits

struct Range {
  std::size_t begin, end;
};

/// One window: the rows and columns of it that lie inside the picture.
struct WindowAt {
  Range rows, columns;
  float divisor;  ///< of an average
};

/// The part of window `i` that lies inside [0, size).
Range inside(std::size_t i, std::size_t size, const PoolOptions& o) {
  const std::size_t start = i * o.stride;  // in the padded row
  return {start > o.pad ? start - o.pad : 0, std::min(size, start + o.kernel - o.pad)};
}

/// Pixels of window `i` of one dimension that an average counts.
std::size_t counted(std::size_t i, std::size_t size, const PoolOptions& o) {
  const Range in = inside(i, size, o);
  if (o.padding == PoolPadding::Excluded) return in.end - in.begin;
  return std::min(o.kernel, size + 2 * o.pad - i * o.stride);
}

struct PoolGeometry {
  Shape x, y;
  PoolOptions options;
};

PoolGeometry geometry(const Shape& x, const PoolOptions& o) {
  if (x.rank() != 4) throw std::invalid_argument("pooling of " + x.str() + ": expected [n, h, w, c]");
  if (o.kernel == 0 || o.kernel > kMaxKernel || o.stride == 0 || o.pad >= o.kernel ||
      o.kernel > x[1] + 2 * o.pad || o.kernel > x[2] + 2 * o.pad) {
    throw std::invalid_argument("pooling of " + x.str() + " with kernel " + std::to_string(o.kernel) +
                                ", stride " + std::to_string(o.stride) + ", padding " +
                                std::to_string(o.pad));
  }
  return {x, {x[0], pooled_size(x[1], o), pooled_size(x[2], o), x[3]}, o};
}

/// body(picture offset in x, output offset in y, window) for every output pixel, a picture per chunk.
template <class Body>
void for_each_window(Backend& backend, const PoolGeometry& g, const Body& body) {
  backend.threads().parallel_for(g.x[0], [&](std::size_t n, std::size_t) {
    std::size_t out = n * g.y[1] * g.y[2] * g.y[3];
    for (std::size_t i = 0; i < g.y[1]; ++i) {
      for (std::size_t j = 0; j < g.y[2]; ++j, out += g.y[3]) {
        body(n * g.x[1] * g.x[2] * g.x[3], out,
             WindowAt{inside(i, g.x[1], g.options), inside(j, g.x[2], g.options),
                      static_cast<float>(counted(i, g.x[1], g.options) * counted(j, g.x[2], g.options))});
      }
    }
  });
}

void clear_pictures(Backend& backend, const PoolGeometry& g, float* dx) {
  const std::size_t size = g.x[1] * g.x[2] * g.x[3];
  backend.threads().parallel_for(g.x[0],
                                 [=](std::size_t n, std::size_t) { std::fill_n(dx + n * size, size, 0.0F); });
}

std::size_t at(const PoolGeometry& g, std::size_t picture, std::size_t row, std::size_t column) {
  return picture + (row * g.x[2] + column) * g.x[3];
}

kernels::PoolShape kernel_shape(const PoolGeometry& g) {
  const PoolOptions& o = g.options;
  return {.batch = 1,
          .height = g.x[1],
          .width = g.x[2],
          .channels = g.x[3],
          .kernel_h = o.kernel,
          .kernel_w = o.kernel,
          .stride_h = o.stride,
          .stride_w = o.stride,
          .pad_h = o.pad,
          .pad_w = o.pad,
          .out_height = g.y[1],
          .out_width = g.y[2]};
}

}  // namespace

std::size_t pooled_size(std::size_t size, const PoolOptions& o) {
  const std::size_t room = size + 2 * o.pad - o.kernel;
  if (o.rounding == engine::PoolRounding::Floor) return room / o.stride + 1;
  std::size_t out = (room + o.stride - 1) / o.stride + 1;
  if ((out - 1) * o.stride >= size + o.pad) --out;  // a window that starts beyond the picture is dropped
  return out;
}

Variable max_pool(const Context& ctx, const Variable& x, const PoolOptions& options) {
  const OpTimer timer(ctx, "max_pool");
  const PoolGeometry g = geometry(x.shape(), options);
  const kernels::PoolShape picture = kernel_shape(g);
  const std::size_t in_size = picture.height * picture.width * picture.channels;
  const std::size_t out_size = picture.out_height * picture.out_width * picture.channels;
  Tensor y(g.y);
  PooledBytes taps(g.y.size());
  float* to = y.mutable_data();
  std::uint8_t* argmax = taps.mutable_data();
  ctx.backend.threads().parallel_for(g.x[0], [&](std::size_t n, std::size_t) {
    ctx.backend.elementwise().max_pool({.shape = picture,
                                        .x = x.value().data() + n * in_size,
                                        .y = to + n * out_size,
                                        .argmax = argmax + n * out_size});
  });
  return record(
      ctx, "max_pool", std::move(y), {x},
      [&backend = ctx.backend, shape = g.x, picture, in_size, out_size, taps](const Tensor& dy) -> Gradients {
        Tensor dx(shape);
        float* out = dx.mutable_data();
        backend.threads().parallel_for(shape[0], [&](std::size_t n, std::size_t) {
          backend.elementwise().max_pool_gradient({.shape = picture,
                                                   .dy = dy.data() + n * out_size,
                                                   .argmax = taps.data() + n * out_size,
                                                   .dx = out + n * in_size});
        });
        return {dx};
      });
}

Variable average_pool(const Context& ctx, const Variable& x, const PoolOptions& options) {
  const OpTimer timer(ctx, "average_pool");
  const PoolGeometry g = geometry(x.shape(), options);
  Tensor y(g.y);
  float* to = y.mutable_data();
  const float* from = x.value().data();
  const std::size_t channels = g.x[3];
  for_each_window(ctx.backend, g, [&](std::size_t picture, std::size_t out, const WindowAt& w) {
    std::fill_n(to + out, channels, 0.0F);
    for (std::size_t r = w.rows.begin; r < w.rows.end; ++r) {
      for (std::size_t c = w.columns.begin; c < w.columns.end; ++c) {
        for (std::size_t k = 0; k < channels; ++k) to[out + k] += from[at(g, picture, r, c) + k];
      }
    }
    for (std::size_t k = 0; k < channels; ++k) to[out + k] /= w.divisor;
  });
  return record(ctx, "average_pool", std::move(y), {x},
                [&backend = ctx.backend, g, channels](const Tensor& dy) -> Gradients {
                  Tensor dx(g.x);
                  float* out_gradient = dx.mutable_data();
                  clear_pictures(backend, g, out_gradient);
                  for_each_window(backend, g, [&](std::size_t picture, std::size_t out, const WindowAt& w) {
                    for (std::size_t r = w.rows.begin; r < w.rows.end; ++r) {
                      for (std::size_t c = w.columns.begin; c < w.columns.end; ++c) {
                        float* pixel = out_gradient + at(g, picture, r, c);
                        for (std::size_t k = 0; k < channels; ++k) pixel[k] += dy.data()[out + k] / w.divisor;
                      }
                    }
                  });
                  return {dx};
                });
}

Variable global_average_pool(const Context& ctx, const Variable& x) {
  const OpTimer timer(ctx, "global_average_pool");
  const Shape& s = x.shape();
  if (s.rank() != 4)
    throw std::invalid_argument("global average pooling of " + s.str() + ": expected [n, h, w, c]");
  const std::size_t pixels = s[1] * s[2], channels = s[3];
  Tensor y({s[0], channels});
  float* to = y.mutable_data();
  ctx.backend.threads().parallel_for(s[0], [&](std::size_t n, std::size_t) {
    float* mean = to + n * channels;
    ctx.backend.elementwise().channel_sums(
        {.block = {pixels, channels}, .x = x.value().data() + n * pixels * channels, .sum = mean});
    for (std::size_t c = 0; c < channels; ++c) mean[c] /= static_cast<float>(pixels);
  });
  return record(ctx, "global_average_pool", std::move(y), {x},
                [&backend = ctx.backend, s, pixels, channels](const Tensor& dy) -> Gradients {
                  Tensor dx(s);
                  float* out = dx.mutable_data();
                  backend.threads().parallel_for(s[0], [&](std::size_t n, std::size_t) {
                    const float* gradient = dy.data() + n * channels;
                    float* pixel = out + n * pixels * channels;
                    for (std::size_t p = 0; p < pixels; ++p, pixel += channels) {
                      for (std::size_t c = 0; c < channels; ++c)
                        pixel[c] = gradient[c] / static_cast<float>(pixels);
                    }
                  });
                  return {dx};
                });
}

}  // namespace bitplane::train
