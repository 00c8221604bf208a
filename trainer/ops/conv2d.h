// SPDX-License-Identifier: Apache-2.0
//
// 2-D convolution and linear layers.
//
//   forward           y[pixel][o] = chain over (kh, kw, c) of x * w (+ bias)
//
// The large products are those of conv_products.h.
#pragma once

#include <cstddef>

#include "bitplane/kernels/conv_shape.h"
#include "trainer/autograd/variable.h"

namespace bitplane::train {

struct ConvOptions {
  std::size_t stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0, dilation_h = 1, dilation_w = 1, groups = 1;
  Rounding rounding = Rounding::Allowed;  ///< of what is multiplied, if the backend is of less precision
};

/// Geometry of x [n][h][w][c] with weights [o][kh][kw][c / groups]. Throws std::invalid_argument with both
/// shapes.
[[nodiscard]] kernels::ConvShape conv_shape(const Shape& x, const Shape& weights, const ConvOptions& options);

/// On plain tensors, without a graph.
[[nodiscard]] Tensor conv2d_forward(Backend& backend, const Tensor& x, const Tensor& weights,
                                    const ConvOptions& options);
[[nodiscard]] Tensor conv2d_data_gradient(Backend& backend, const Shape& x, const Tensor& weights,
                                          const Tensor& dy, const ConvOptions& options);
[[nodiscard]] Tensor conv2d_weight_gradient(Backend& backend, const Tensor& x, const Shape& weights,
                                            const Tensor& dy, const ConvOptions& options);

/// bias: undefined, or [o].
Variable conv2d(const Context& ctx, const Variable& x, const Variable& weights, const Variable& bias,
                const ConvOptions& options);

/// x [n][in], weights [out][in], bias undefined or [out] -> [n][out]: a 1 x 1 convolution of 1 x 1 pictures.
Variable linear(const Context& ctx, const Variable& x, const Variable& weights, const Variable& bias,
                Rounding rounding = Rounding::Allowed);

}  // namespace bitplane::train
