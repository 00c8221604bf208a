// SPDX-License-Identifier: Apache-2.0
#include "trainer/ops/conv2d.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "trainer/autograd/profile.h"
#include "trainer/tensor/row_loops.h"

namespace bitplane::train {
namespace {

using kernels::ConvShape;
using kernels::F32Conv;
using kernels::F32Panels;

/// One set of panels per group; element (t, n) of group g is source[g * group_stride + t * step + n *
/// column].
struct PanelSource {
  const float* data;
  std::size_t group_stride, step, column;
};

std::vector<F32Panels> pack_groups(const PanelSource& source, std::size_t groups, std::size_t k,
                                   std::size_t n) {
  std::vector<F32Panels> panels;
  for (std::size_t g = 0; g < groups; ++g) {
    panels.emplace_back(k, n);
    kernels::pack_f32_panels(source.data + g * source.group_stride, source.step, source.column,
                             panels.back());
  }
  return panels;
}

/// Forward over all pictures, one picture per chunk (its rows where there is only one).
void run_forward(Backend& backend, const ConvShape& shape, const float* x,
                 const std::vector<F32Panels>& panels, float* z) {
  const F32Conv conv(shape);
  constexpr std::size_t kRowsOfLonePicture = 8;
  const std::size_t grain = shape.batch > 1 ? shape.out_height() : kRowsOfLonePicture;
  const std::size_t row_floats = shape.out_width() * shape.out_channels;
  backend.threads().parallel_ranges(
      shape.batch * shape.out_height(), grain, [&](std::size_t begin, std::size_t end, std::size_t runner) {
        conv.forward(backend.f32(), x, panels.data(), z + begin * row_floats, {begin, end},
                     backend.scratch(runner, conv.scratch_floats()));
      });
}

/// Copies `channels` channels from `first` of every pixel.
Tensor slice_channels(const Tensor& x, std::size_t first, std::size_t channels) {
  const Shape& s = x.shape();
  Tensor part({s[0], s[1], s[2], channels});
  const float* from = x.data() + first;
  float* to = part.mutable_data();
  for (std::size_t r = 0; r < s.rows(); ++r, from += s.back(), to += channels)
    std::copy_n(from, channels, to);
  return part;
}

/// [kh][kw][out / groups][in / groups] of each group: the filters turned by 180 degrees, in and out swapped.
Tensor turned_weights(const ConvShape& s, const float* w) {
  const std::size_t in = s.channels / s.groups, out = s.out_channels / s.groups;
  Tensor turned({s.groups, s.taps(), out, in});
  float* to = turned.mutable_data();
  for (std::size_t g = 0; g < s.groups; ++g) {
    for (std::size_t tap = s.taps(); tap-- > 0;) {
      for (std::size_t o = 0; o < out; ++o, to += in) {
        std::copy_n(w + ((g * out + o) * s.taps() + tap) * in, in, to);
      }
    }
  }
  return turned;
}

/// dy with stride - 1 zeros between its pixels, inside the frame that a convolution without padding turns
/// into exactly the input's size. Works for any stride, padding and leftover rows.
Tensor spread(Backend& backend, const ConvShape& s, const Tensor& dy) {
  const std::size_t frame_h = s.dilation_h * (s.kernel_h - 1), frame_w = s.dilation_w * (s.kernel_w - 1);
  const std::size_t height = s.height + frame_h, width = s.width + frame_w, channels = s.out_channels;
  Tensor wide({s.batch, height, width, channels});
  float* pictures = wide.mutable_data();
  backend.threads().parallel_for(s.batch, [&](std::size_t n, std::size_t) {
    float* picture = pictures + n * height * width * channels;
    std::fill_n(picture, height * width * channels, 0.0F);
    const float* from = dy.data() + n * s.out_height() * s.out_width() * channels;
    for (std::size_t y = 0; y < s.out_height(); ++y) {
      for (std::size_t x = 0; x < s.out_width(); ++x, from += channels) {
        const std::size_t to_y = y * s.stride_h + frame_h, to_x = x * s.stride_w + frame_w;
        // In the padding beyond the frame a gradient reaches no pixel of the input.
        if (to_y < s.pad_h || to_x < s.pad_w || to_y - s.pad_h >= height || to_x - s.pad_w >= width) continue;
        std::copy_n(from, channels, picture + ((to_y - s.pad_h) * width + to_x - s.pad_w) * channels);
      }
    }
  });
  return wide;
}

/// blocks[0] += ... += blocks[count - 1], pairwise: 0+1, 2+3, ... then 0+2, ...
void add_tree(Backend& backend, float* blocks, std::size_t count, std::size_t size) {
  backend.threads().parallel_ranges(size, kFlatGrain, [&](std::size_t begin, std::size_t end, std::size_t) {
    for (std::size_t distance = 1; distance < count; distance *= 2) {
      for (std::size_t b = 0; b + distance < count; b += 2 * distance) {
        float* sum = blocks + b * size + begin;
        backend.elementwise().add(
            {.size = end - begin, .a = sum, .b = blocks + (b + distance) * size + begin, .y = sum});
      }
    }
  });
}

/// Without groups: dw[k][o] by blocks of pictures, then turned into [o][k].
void weight_gradient_of_group(Backend& backend, const ConvShape& s, const Tensor& x, const Tensor& dy,
                              float* dw) {
  const F32Conv conv(s);
  const std::size_t size = s.filter_size() * s.out_channels;
  const std::size_t blocks = (s.batch + kConvGradientPictures - 1) / kConvGradientPictures;
  Tensor partial({std::max<std::size_t>(blocks, 1), size});
  if (blocks == 0) partial.fill(0.0F);
  float* sums = partial.mutable_data();
  backend.threads().parallel_for(blocks, [&](std::size_t block, std::size_t runner) {
    const std::size_t first = block * kConvGradientPictures;
    conv.weight_gradient(backend.f32(), x.data(), dy.data(), sums + block * size, first,
                         std::min(s.batch, first + kConvGradientPictures), kernels::Accumulate::Overwrite,
                         backend.scratch(runner, conv.scratch_floats()));
  });
  add_tree(backend, sums, blocks, size);
  for (std::size_t o = 0; o < s.out_channels; ++o) {
    for (std::size_t k = 0; k < s.filter_size(); ++k) *dw++ = sums[k * s.out_channels + o];
  }
}

void add_bias(Backend& backend, const Tensor& bias, Tensor& y) {
  const std::size_t channels = y.shape().back();
  expect_shape(bias.shape(), {channels}, "bias");
  float* out = y.mutable_data();
  for_each_block(backend, y.shape(), [&](const BlockAt& at) {
    for (std::size_t row = 0; row < at.block.rows; ++row) {
      float* to = out + at.offset + row * channels;
      backend.elementwise().add({.size = channels, .a = to, .b = bias.data(), .y = to});
    }
  });
}

Tensor bias_gradient(Backend& backend, const Tensor& dy) {
  const std::vector<double> sums = channel_sums(backend, dy);
  Tensor db({sums.size()});
  std::transform(sums.begin(), sums.end(), db.mutable_data(), [](double v) { return static_cast<float>(v); });
  return db;
}

}  // namespace

ConvShape conv_shape(const Shape& x, const Shape& weights, const ConvOptions& o) {
  const auto refuse = [&](const char* why) {
    throw std::invalid_argument("convolution of " + x.str() + " with weights " + weights.str() + ": " + why);
  };
  if (x.rank() != 4 || weights.rank() != 4) refuse("both need four dimensions");
  if (o.groups == 0 || o.stride_h == 0 || o.stride_w == 0 || o.dilation_h == 0 || o.dilation_w == 0) {
    refuse("groups, strides and dilations must be positive");
  }
  if (weights[3] * o.groups != x[3] || weights[0] % o.groups != 0)
    refuse("the channels do not fit the groups");
  if (x[1] + 2 * o.pad_h < o.dilation_h * (weights[1] - 1) + 1 ||
      x[2] + 2 * o.pad_w < o.dilation_w * (weights[2] - 1) + 1) {
    refuse("the kernel is larger than the padded picture");
  }
  return {.batch = x[0],
          .height = x[1],
          .width = x[2],
          .channels = x[3],
          .out_channels = weights[0],
          .kernel_h = weights[1],
          .kernel_w = weights[2],
          .stride_h = o.stride_h,
          .stride_w = o.stride_w,
          .pad_h = o.pad_h,
          .pad_w = o.pad_w,
          .dilation_h = o.dilation_h,
          .dilation_w = o.dilation_w,
          .groups = o.groups};
}

Tensor conv2d_forward(Backend& backend, const Tensor& x, const Tensor& weights, const ConvOptions& options) {
  const ConvShape s = conv_shape(x.shape(), weights.shape(), options);
  const std::size_t k = s.filter_size(), n = s.out_channels / s.groups;
  Tensor z({s.batch, s.out_height(), s.out_width(), s.out_channels});
  run_forward(backend, s, x.data(), pack_groups({weights.data(), n * k, 1, k}, s.groups, k, n),
              z.mutable_data());
  return z;
}

Tensor conv2d_data_gradient(Backend& backend, const Shape& x, const Tensor& weights, const Tensor& dy,
                            const ConvOptions& options) {
  const ConvShape s = conv_shape(x, weights.shape(), options);
  expect_shape(dy.shape(), {s.batch, s.out_height(), s.out_width(), s.out_channels},
               "gradient of a convolution");
  const std::size_t frame_h = s.dilation_h * (s.kernel_h - 1), frame_w = s.dilation_w * (s.kernel_w - 1);
  ConvShape turned{.batch = s.batch,
                   .height = s.height + frame_h,
                   .width = s.width + frame_w,
                   .channels = s.out_channels,
                   .out_channels = s.channels,
                   .kernel_h = s.kernel_h,
                   .kernel_w = s.kernel_w,
                   .dilation_h = s.dilation_h,
                   .dilation_w = s.dilation_w,
                   .groups = s.groups};
  Tensor wide = dy;
  if (s.stride_h == 1 && s.stride_w == 1 && s.pad_h <= frame_h && s.pad_w <= frame_w) {
    turned.height = s.out_height();
    turned.width = s.out_width();
    turned.pad_h = frame_h - s.pad_h;
    turned.pad_w = frame_w - s.pad_w;
  } else {
    wide = spread(backend, s, dy);
  }
  const std::size_t in = s.channels / s.groups, k = turned.filter_size();
  const Tensor w = turned_weights(s, weights.data());
  Tensor dx(x);
  run_forward(backend, turned, wide.data(), pack_groups({w.data(), k * in, in, 1}, s.groups, k, in),
              dx.mutable_data());
  return dx;
}

Tensor conv2d_weight_gradient(Backend& backend, const Tensor& x, const Shape& weights, const Tensor& dy,
                              const ConvOptions& options) {
  ConvShape s = conv_shape(x.shape(), weights, options);
  expect_shape(dy.shape(), {s.batch, s.out_height(), s.out_width(), s.out_channels},
               "gradient of a convolution");
  Tensor dw(weights);
  if (s.groups == 1) {
    weight_gradient_of_group(backend, s, x, dy, dw.mutable_data());
    return dw;
  }
  const std::size_t in = s.channels / s.groups, out = s.out_channels / s.groups, groups = s.groups;
  s.channels = in;
  s.out_channels = out;
  s.groups = 1;
  for (std::size_t g = 0; g < groups; ++g) {
    weight_gradient_of_group(backend, s, slice_channels(x, g * in, in), slice_channels(dy, g * out, out),
                             dw.mutable_data() + g * out * s.filter_size());
  }
  return dw;
}

Variable conv2d(const Context& ctx, const Variable& x, const Variable& weights, const Variable& bias,
                const ConvOptions& options) {
  const OpTimer timer(ctx, "conv2d");
  Tensor y = conv2d_forward(ctx.backend, x.value(), weights.value(), options);
  if (bias.defined()) add_bias(ctx.backend, bias.value(), y);
  std::vector<Variable> inputs{x, weights};
  if (bias.defined()) inputs.push_back(bias);
  return record(ctx, "conv2d", std::move(y), std::move(inputs),
                [ctx, x = x.value(), w = weights.value(), options, has_bias = bias.defined(),
                 needs_dx = x.requires_grad()](const Tensor& dy) {
                  std::vector<Tensor> grads(2);
                  if (needs_dx) {
                    const OpTimer part(ctx, "conv2d: data gradient", OpProfile::Direction::Backward);
                    grads[0] = conv2d_data_gradient(ctx.backend, x.shape(), w, dy, options);
                  }
                  grads[1] = conv2d_weight_gradient(ctx.backend, x, w.shape(), dy, options);
                  if (has_bias) grads.push_back(bias_gradient(ctx.backend, dy));
                  return grads;
                });
}

Variable linear(const Context& ctx, const Variable& x, const Variable& weights, const Variable& bias) {
  const OpTimer timer(ctx, "linear");
  const Shape& xs = x.shape();
  const Shape& ws = weights.shape();
  if (xs.rank() != 2 || ws.rank() != 2 || xs[1] != ws[1]) {
    throw std::invalid_argument("linear layer of " + xs.str() + " with weights " + ws.str() +
                                ": expected [n, in] and [out, in]");
  }
  // The batch is the height of one picture of width 1, so that weights are read once for many rows.
  const Shape picture{1, xs[0], 1, xs[1]}, filters{ws[0], 1, 1, ws[1]};
  Tensor y = conv2d_forward(ctx.backend, x.value().reshaped(picture), weights.value().reshaped(filters), {})
                 .reshaped({xs[0], ws[0]});
  if (bias.defined()) add_bias(ctx.backend, bias.value(), y);
  std::vector<Variable> inputs{x, weights};
  if (bias.defined()) inputs.push_back(bias);
  return record(
      ctx, "linear", std::move(y), std::move(inputs),
      [&backend = ctx.backend, x = x.value(), w = weights.value(), picture, filters,
       has_bias = bias.defined()](const Tensor& dy) {
        const Shape ys{1, dy.shape()[0], 1, dy.shape()[1]};
        std::vector<Tensor> grads;
        grads.push_back(conv2d_data_gradient(backend, picture, w.reshaped(filters), dy.reshaped(ys), {})
                            .reshaped(x.shape()));
        grads.push_back(conv2d_weight_gradient(backend, x.reshaped(picture), filters, dy.reshaped(ys), {})
                            .reshaped(w.shape()));
        if (has_bias) grads.push_back(bias_gradient(backend, dy));
        return grads;
      });
}

}  // namespace bitplane::train
