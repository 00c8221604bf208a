// SPDX-License-Identifier: Apache-2.0
//
// The three large products of a convolution without groups, on operands rounded to bf16 (kernels/bf16.h),
// over a whole batch and all threads. The same bits for any number of threads.
//
//   forward           y = x * w, in the kernels' order
//   data gradient     a stride-1 convolution of dy with the filters turned by 180 degrees and in, out
//                     swapped; where the stride is not 1, dy is first spread out with zeros
//   weight gradient   per block of kConvGradientPictures pictures, blocks combined in a fixed tree in float32
#pragma once

#include "bitplane/kernels/conv_shape.h"
#include "trainer/tensor/backend.h"
#include "trainer/tensor/precision.h"

namespace bitplane::train {

/// Are these products computed by the functions below? A few channels would gain nothing.
[[nodiscard]] bool takes_bf16(const Backend& backend, const kernels::ConvShape& shape, Rounding rounding);

/// x [n][h][w][c], weights [o][kh][kw][c], y [n][out_h][out_w][o].
void bf16_forward_product(Backend& backend, const kernels::ConvShape& shape, const float* x,
                          const float* weights, float* y);
void bf16_data_gradient_product(Backend& backend, const kernels::ConvShape& shape, const float* dy,
                                const float* weights, float* dx);
void bf16_weight_gradient_product(Backend& backend, const kernels::ConvShape& shape, const float* x,
                                  const float* dy, float* dw);

}  // namespace bitplane::train
