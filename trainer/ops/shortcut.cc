// SPDX-License-Identifier: Apache-2.0
#include "trainer/ops/shortcut.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "trainer/autograd/profile.h"

namespace bitplane::train {
namespace {

struct ShortcutGeometry {
  Shape x, y;
  ShortcutOptions options;
};

ShortcutGeometry shortcut_geometry(const Shape& x, const ShortcutOptions& o) {
  if (x.rank() != 4) throw std::invalid_argument("shortcut of " + x.str() + ": expected [n, h, w, c]");
  if (o.stride == 0) throw std::invalid_argument("a shortcut's stride must be positive");
  const auto shrunk = [&](std::size_t size) { return (size + o.stride - 1) / o.stride; };
  return {x, {x[0], shrunk(x[1]), shrunk(x[2]), o.front + x[3] + o.back}, o};
}

/// The pixels of x that make one pixel of y.
struct ShortcutWindow {
  std::size_t row, rows, column, columns;
  [[nodiscard]] float pixels() const { return static_cast<float>(rows * columns); }
};

ShortcutWindow window_of(const ShortcutGeometry& g, std::size_t i, std::size_t j) {
  const std::size_t stride = g.options.stride, row = i * stride, column = j * stride;
  if (g.options.sampling == ShortcutSampling::Subsample) return {row, 1, column, 1};
  return {row, std::min(stride, g.x[1] - row), column, std::min(stride, g.x[2] - column)};
}

/// body(window, pixel of y, offset of the first pixel of the picture in x), a picture per chunk.
template <class Body>
void for_each_shortcut_pixel(Backend& backend, const ShortcutGeometry& g, const Body& body) {
  backend.threads().parallel_for(g.x[0], [&](std::size_t n, std::size_t) {
    std::size_t pixel = n * g.y[1] * g.y[2];
    for (std::size_t i = 0; i < g.y[1]; ++i) {
      for (std::size_t j = 0; j < g.y[2]; ++j, ++pixel)
        body(window_of(g, i, j), pixel, n * g.x[1] * g.x[2] * g.x[3]);
    }
  });
}

Tensor shortcut_gradient(Backend& backend, const ShortcutGeometry& g, const Tensor& dy) {
  Tensor dx(g.x);
  float* gradient = dx.mutable_data();
  const std::size_t channels = g.x[3], picture = g.x[1] * g.x[2] * channels;
  backend.threads().parallel_for(
      g.x[0], [&](std::size_t n, std::size_t) { std::fill_n(gradient + n * picture, picture, 0.0F); });
  for_each_shortcut_pixel(backend, g, [&](const ShortcutWindow& w, std::size_t pixel, std::size_t first) {
    const float* from = dy.data() + pixel * g.y[3] + g.options.front;
    for (std::size_t r = w.row; r < w.row + w.rows; ++r) {
      float* to = gradient + first + (r * g.x[2] + w.column) * channels;
      for (std::size_t c = 0; c < w.columns; ++c, to += channels) {
        for (std::size_t k = 0; k < channels; ++k) to[k] = from[k] / w.pixels();
      }
    }
  });
  return dx;
}

}  // namespace

Variable zero_channel_shortcut(const Context& ctx, const Variable& x, const ShortcutOptions& options) {
  const OpTimer timer(ctx, "zero_channel_shortcut");
  const ShortcutGeometry g = shortcut_geometry(x.shape(), options);
  Tensor y(g.y);
  float* out = y.mutable_data();
  const float* in = x.value().data();
  const std::size_t channels = g.x[3];
  for_each_shortcut_pixel(ctx.backend, g, [&](const ShortcutWindow& w, std::size_t pixel, std::size_t first) {
    float* to = out + pixel * g.y[3];
    std::fill_n(to, g.y[3], 0.0F);
    to += g.options.front;
    for (std::size_t r = w.row; r < w.row + w.rows; ++r) {
      const float* from = in + first + (r * g.x[2] + w.column) * channels;
      for (std::size_t c = 0; c < w.columns; ++c, from += channels) {
        for (std::size_t k = 0; k < channels; ++k) to[k] += from[k];
      }
    }
    for (std::size_t k = 0; k < channels; ++k) to[k] /= w.pixels();
  });
  return record(ctx, "zero_channel_shortcut", std::move(y), {x},
                [&backend = ctx.backend, g](const Tensor& dy) -> Gradients {
                  return {shortcut_gradient(backend, g, dy)};
                });
}

}  // namespace bitplane::train
