// SPDX-License-Identifier: Apache-2.0
//
// Pooling and the small float steps of an engine that are not a convolution. NHWC, any ISA gives the same
// bits.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bitplane/kernels/conv_shape.h"
#include "bitplane/kernels/epilogue.h"

namespace bitplane::kernels {

struct PoolShape {
  std::size_t batch = 1, height = 1, width = 1, channels = 1;
  std::size_t kernel_h = 2, kernel_w = 2, stride_h = 2, stride_w = 2, pad_h = 0, pad_w = 0;
  std::size_t out_height = 1, out_width = 1;  ///< given by the caller: floor or ceil mode is its business
};

/// Maximum over the part of each window that lies inside the picture.
void max_pool_f32(const EpilogueKernels& kernels, const PoolShape& shape, const float* x, float* y) noexcept;

/// Rows of a picture of which the last `slots` are kept: row r lies at slot r % slots, [pixel][channels].
struct RowRing {
  const float* data = nullptr;
  std::size_t slots = 1;
};
/// The rows of a picture that row out_y of the output is made of.
[[nodiscard]] RowRange pool_rows(const PoolShape& shape, std::size_t out_y) noexcept;
/// Row out_y of max_pool_f32's output for one picture. y: [out_width][channels].
void max_pool_row_f32(const EpilogueKernels& kernels, const PoolShape& shape, std::size_t out_y,
                      const RowRing& x, float* y) noexcept;
/// The same on ranks; channel c takes the minimum where minimum[c] != 0 (its affine has a negative scale).
void max_pool_ranks(const PoolShape& shape, const std::uint8_t* x, const std::uint8_t* minimum,
                    std::uint8_t* y) noexcept;
/// y[n][c] = (sum over the pixels in row-major order, a chain of float additions from +0) / float(pixels).
void global_average_pool_f32(std::size_t batch, std::size_t pixels, std::size_t channels, const float* x,
                             float* y) noexcept;
/// x[n][pixel][c] = fma(float(u), scale[c], shift[c]): input preprocessing.
void preprocess_u8(std::size_t pixels, std::size_t channels, const std::uint8_t* u, const float* scale,
                   const float* shift, float* x) noexcept;

}  // namespace bitplane::kernels
