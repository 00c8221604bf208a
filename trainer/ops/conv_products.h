// SPDX-License-Identifier: Apache-2.0
//
// The three large products of a convolution, over a whole batch and all threads: nearly all of a training
// step's arithmetic. Those that may be rounded and are computed on bf16 are in bf16_products.h.
//
//   forward           y[pixel][o]  = chain over (kh, kw, c) of x * w
//   data gradient     dx[pixel][c] = chain over the filters' taps from the last to the first, o, of dy * w
//   weight gradient   per block of kConvGradientPictures pictures, blocks combined in a fixed tree
#pragma once

#include <cstddef>

#include "bitplane/kernels/conv_shape.h"
#include "trainer/tensor/backend.h"

namespace bitplane::train {

/// Pictures whose weight gradient is one chain. Part of the contract: changing it changes the bits of
/// training.
inline constexpr std::size_t kConvGradientPictures = 16;

/// x [n][h][w][c], weights [o][kh][kw][c / groups], y [n][out_h][out_w][o].
void forward_product(Backend& backend, const kernels::ConvShape& shape, const float* x, const float* weights,
                     float* y);
void data_gradient_product(Backend& backend, const kernels::ConvShape& shape, const float* dy,
                           const float* weights, float* dx);
void weight_gradient_product(Backend& backend, const kernels::ConvShape& shape, const float* x,
                             const float* dy, float* dw);
/// The last part of a weight gradient, whatever computed its blocks: sums [blocks][group][filter_size()][out
/// / groups] are added up in the fixed tree, in place, and turned into dw.
void combine_gradient_blocks(Backend& backend, const kernels::ConvShape& shape, float* sums,
                             std::size_t blocks, float* dw);

}  // namespace bitplane::train
