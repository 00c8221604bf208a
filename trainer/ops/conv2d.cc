// SPDX-License-Identifier: Apache-2.0
#include "trainer/ops/conv2d.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "trainer/autograd/profile.h"
#include "trainer/ops/bf16_products.h"
#include "trainer/ops/conv_products.h"
#include "trainer/tensor/row_loops.h"

namespace bitplane::train {
namespace {

using kernels::ConvShape;

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
  const RecycledVector<double> sums = channel_sums(backend, dy);
  Tensor db({sums.size()});
  std::transform(sums.begin(), sums.end(), db.mutable_data(), [](double v) { return static_cast<float>(v); });
  return db;
}

void expect_gradient_shape(const ConvShape& s, const Tensor& dy) {
  expect_shape(dy.shape(), {s.batch, s.out_height(), s.out_width(), s.out_channels},
               "gradient of a convolution");
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
  Tensor y({s.batch, s.out_height(), s.out_width(), s.out_channels});
  const bool rounded = takes_bf16(backend, s, options.rounding);
  (rounded ? bf16_forward_product : forward_product)(backend, s, x.data(), weights.data(), y.mutable_data());
  return y;
}

Tensor conv2d_data_gradient(Backend& backend, const Shape& x, const Tensor& weights, const Tensor& dy,
                            const ConvOptions& options) {
  const ConvShape s = conv_shape(x, weights.shape(), options);
  expect_gradient_shape(s, dy);
  Tensor dx(x);
  const bool rounded = takes_bf16(backend, s, options.rounding);
  (rounded ? bf16_data_gradient_product : data_gradient_product)(backend, s, dy.data(), weights.data(),
                                                                 dx.mutable_data());
  return dx;
}

Tensor conv2d_weight_gradient(Backend& backend, const Tensor& x, const Shape& weights, const Tensor& dy,
                              const ConvOptions& options) {
  const ConvShape s = conv_shape(x.shape(), weights, options);
  expect_gradient_shape(s, dy);
  Tensor dw(weights);
  const bool rounded = takes_bf16(backend, s, options.rounding);
  (rounded ? bf16_weight_gradient_product : weight_gradient_product)(backend, s, x.data(), dy.data(),
                                                                     dw.mutable_data());
  return dw;
}

Variable conv2d(const Context& ctx, const Variable& x, const Variable& weights, const Variable& bias,
                const ConvOptions& options) {
  const OpTimer timer(ctx, "conv2d");
  Tensor y = conv2d_forward(ctx.backend, x.value(), weights.value(), options);
  if (bias.defined()) add_bias(ctx.backend, bias.value(), y);
  Variables inputs{x, weights};
  if (bias.defined()) inputs.push_back(bias);
  return record(ctx, "conv2d", std::move(y), std::move(inputs),
                [ctx, x = x.value(), w = weights.value(), options, has_bias = bias.defined(),
                 needs_dx = x.requires_grad()](const Tensor& dy) {
                  Gradients grads(2);
                  if (needs_dx) {
                    const OpTimer part(ctx, "conv2d: data gradient", OpProfile::Direction::Backward);
                    grads[0] = conv2d_data_gradient(ctx.backend, x.shape(), w, dy, options);
                  }
                  grads[1] = conv2d_weight_gradient(ctx.backend, x, w.shape(), dy, options);
                  if (has_bias) grads.push_back(bias_gradient(ctx.backend, dy));
                  return grads;
                });
}

Variable linear(const Context& ctx, const Variable& x, const Variable& weights, const Variable& bias,
                Rounding rounding) {
  const OpTimer timer(ctx, "linear");
  const Shape& xs = x.shape();
  const Shape& ws = weights.shape();
  if (xs.rank() != 2 || ws.rank() != 2 || xs[1] != ws[1]) {
    throw std::invalid_argument("linear layer of " + xs.str() + " with weights " + ws.str() +
                                ": expected [n, in] and [out, in]");
  }
  // The batch is the height of one picture of width 1, so that weights are read once for many rows.
  const Shape picture{1, xs[0], 1, xs[1]}, filters{ws[0], 1, 1, ws[1]};
  const ConvOptions options{.rounding = rounding};
  Tensor y =
      conv2d_forward(ctx.backend, x.value().reshaped(picture), weights.value().reshaped(filters), options)
          .reshaped({xs[0], ws[0]});
  if (bias.defined()) add_bias(ctx.backend, bias.value(), y);
  Variables inputs{x, weights};
  if (bias.defined()) inputs.push_back(bias);
  return record(
      ctx, "linear", std::move(y), std::move(inputs),
      [&backend = ctx.backend, x = x.value(), w = weights.value(), picture, filters, rounding,
       has_bias = bias.defined()](const Tensor& dy) {
        const Shape ys{1, dy.shape()[0], 1, dy.shape()[1]};
        const ConvOptions same{.rounding = rounding};
        Gradients grads;
        grads.push_back(conv2d_data_gradient(backend, picture, w.reshaped(filters), dy.reshaped(ys), same)
                            .reshaped(x.shape()));
        grads.push_back(conv2d_weight_gradient(backend, x.reshaped(picture), filters, dy.reshaped(ys), same)
                            .reshaped(w.shape()));
        if (has_bias) grads.push_back(bias_gradient(backend, dy));
        return grads;
      });
}

}  // namespace bitplane::train
