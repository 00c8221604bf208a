// SPDX-License-Identifier: Apache-2.0
#include "window.h"

#include <gtest/gtest.h>

#include "layers.h"

namespace bitplane::bench {
namespace {

/// Tap by tap.
double counted(const kernels::ConvShape& shape) {
  double macs = 0;
  for (std::size_t pixel = 0; pixel < shape.out_pixels(); ++pixel) {
    for (std::size_t k = 0; k < shape.filter_size(); ++k) {
      if (input_index(shape, pixel, k)) macs += static_cast<double>(shape.out_channels);
    }
  }
  return macs;
}

TEST(UsefulMacs, AreThoseWhoseTapLiesInsideThePicture) {
  const kernels::ConvShape shapes[] = {
      {.height = 8,
       .width = 8,
       .channels = 2,
       .out_channels = 3,
       .kernel_h = 3,
       .kernel_w = 3,
       .pad_h = 1,
       .pad_w = 1},
      {.batch = 2, .height = 5, .width = 9, .kernel_h = 1, .kernel_w = 5, .stride_w = 2, .pad_w = 4},
      {.height = 9,
       .width = 7,
       .kernel_h = 3,
       .kernel_w = 2,
       .stride_h = 2,
       .pad_h = 2,
       .pad_w = 1,
       .dilation_h = 2,
       .dilation_w = 3},
      {.height = 1, .width = 1, .kernel_h = 3, .kernel_w = 3, .pad_h = 1, .pad_w = 1},
  };
  for (const kernels::ConvShape& shape : shapes) EXPECT_EQ(useful_macs(shape), counted(shape));
}

TEST(UsefulMacs, WithoutPaddingAreAll) {
  for (const GemmShape& gemm : kGemmShapes)
    EXPECT_EQ(useful_macs(gemm.shape()), static_cast<double>(gemm.shape().macs()));
}

// 3 taps in each direction, of which the pixels at either end miss one: 22 of 24 pairs in a row of 8.
TEST(UsefulMacs, OfLayersOf8PixelsLackOneInSix) {
  const kernels::ConvShape shape{
      .height = 8, .width = 8, .kernel_h = 3, .kernel_w = 3, .pad_h = 1, .pad_w = 1};
  EXPECT_EQ(useful_macs(shape), 22 * 22);
  EXPECT_EQ(shape.macs(), 24U * 24U);
}

}  // namespace
}  // namespace bitplane::bench
