// SPDX-License-Identifier: Apache-2.0
//
// Convolutions of bytes (8-bit first and last layers) on the kernels of family `dot`.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "bitplane/kernels/aligned.h"
#include "bitplane/kernels/dot.h"
#include "kernels/dot_support.h"
#include "kernels/reference/bit_conv_reference.h"
#include "kernels/reference/random.h"

namespace bitplane::kernels {
namespace {

using reference::Random;

class ByteConvTest : public DotKernelTest {};
INSTANTIATE_TEST_SUITE_P(Kernels, ByteConvTest, testing::ValuesIn(dot_cases()), dot_case_name);

/// Bytes and weights with the sums of every window by definition.
struct BytePicture {
  ConvShape shape;
  std::vector<std::uint8_t> pixels, zero;
  std::vector<std::int8_t> weights;

  [[nodiscard]] std::int32_t sum_at(const reference::OutputAt& at) const {
    const std::size_t group_in = shape.channels / shape.groups;
    const std::size_t group = at.channel / (shape.out_channels / shape.groups);
    std::int32_t sum = 0;
    for (std::size_t k = 0; k < shape.filter_size(); ++k) {
      const std::size_t c = group * group_in + k % group_in, tap = k / group_in;
      const std::size_t y = at.y * shape.stride_h + tap / shape.kernel_w * shape.dilation_h;
      const std::size_t x = at.x * shape.stride_w + tap % shape.kernel_w * shape.dilation_w;
      const bool inside = y >= shape.pad_h && y < shape.pad_h + shape.height && x >= shape.pad_w &&
                          x < shape.pad_w + shape.width;
      if (!inside) continue;
      const std::size_t row = at.picture * shape.height + y - shape.pad_h;
      const int byte = pixels[(row * shape.width + x - shape.pad_w) * shape.channels + c];
      sum += (byte - zero[c]) * weights[at.channel * shape.filter_size() + k];
    }
    return sum;
  }
};

BytePicture random_picture(Random& random, const ConvShape& shape) {
  BytePicture picture{.shape = shape, .pixels = {}, .zero = {}, .weights = {}};
  for (std::size_t i = 0; i < shape.batch * shape.height * shape.width * shape.channels; ++i) {
    picture.pixels.push_back(random.coin() ? 255 : static_cast<std::uint8_t>(random.bits()));
  }
  for (std::size_t c = 0; c < shape.channels; ++c)
    picture.zero.push_back(static_cast<std::uint8_t>(random.bits()));
  const bool small = random.coin();  // few different weights are packed as codes
  for (std::size_t i = 0; i < shape.out_channels * shape.filter_size(); ++i) {
    const auto weight = static_cast<std::int8_t>(random.bits());
    picture.weights.push_back(small ? static_cast<std::int8_t>(weight % 4) : random.coin() ? weight : -128);
  }
  return picture;
}

TEST_P(ByteConvTest, AgreesWithTheDefinition) {
  const ConvShape shapes[] = {
      {.batch = 2,
       .height = 33,
       .width = 31,
       .channels = 3,
       .out_channels = 20,
       .kernel_h = 7,
       .kernel_w = 7,
       .stride_h = 2,
       .stride_w = 2,
       .pad_h = 3,
       .pad_w = 3},
      {.height = 32,
       .width = 32,
       .channels = 3,
       .out_channels = 16,
       .kernel_h = 3,
       .kernel_w = 3,
       .pad_h = 1,
       .pad_w = 1},
      {.batch = 3,
       .height = 5,
       .width = 6,
       .channels = 1,
       .out_channels = 5,
       .kernel_h = 5,
       .kernel_w = 5,
       .pad_h = 2,
       .pad_w = 4},
      {.batch = 2,
       .height = 19,
       .width = 15,
       .channels = 6,
       .out_channels = 9,
       .kernel_h = 2,
       .kernel_w = 3,
       .pad_h = 1,
       .pad_w = 2,
       .dilation_h = 2,
       .dilation_w = 3,
       .groups = 3},
      {.batch = 7, .channels = 1031, .out_channels = 10},
      {.channels = 1, .out_channels = 1},
  };
  std::uint64_t seed = 40;
  for (const ConvShape& shape : shapes) {
    for (int repetition = 0; repetition < 3; ++repetition) {
      SCOPED_TRACE("seed " + std::to_string(++seed));
      Random random(seed);
      const BytePicture picture = random_picture(random, shape);
      const ByteConv conv(kernels(), {shape, picture.weights.data(), picture.zero.data()});
      std::vector<std::int32_t> expected;
      reference::for_outputs(shape, [&](const auto& at) { expected.push_back(picture.sum_at(at)); });
      AlignedArray<std::byte> scratch(conv.scratch_bytes());
      std::memset(scratch.data(), 0x5A, scratch.size());
      const RowRange rows{0, shape.batch * shape.out_height()};
      std::vector<std::int32_t> integers(expected.size(), -12345);
      conv.run_integer(picture.pixels.data(), rows, integers.data(), scratch.data());
      ASSERT_EQ(integers, expected);

      const std::vector<float> scale(shape.out_channels, 0.37F), shift(shape.out_channels, -1.5F);
      std::vector<float> t(expected.size(), -12345.0F), expected_t;
      for (const std::int32_t sum : expected) {
        expected_t.push_back(std::fma(static_cast<float>(sum), 0.37F, -1.5F));
      }
      conv.run(picture.pixels.data(), rows, select_epilogue(test_cpu()),
               {.kind = EpilogueKind::Float, .affine = {scale.data(), shift.data()}, .out = t.data()},
               scratch.data());
      ASSERT_EQ(t, expected_t);
    }
  }
}

TEST(ByteConv, PaddedPixelsAreZerosByDefault) {
  const DotKernels& kernels = emulated::kVnni;
  const std::vector<std::int8_t> weights{1, 10, 100};
  const std::vector<std::uint8_t> pixels{2, 3};
  const ByteConv conv(kernels, {.shape = {.width = 2, .kernel_w = 3, .pad_w = 1}, .weights = weights.data()});
  AlignedArray<std::byte> scratch(conv.scratch_bytes());
  std::vector<std::int32_t> sums(2);
  conv.run_integer(pixels.data(), {0, 1}, sums.data(), scratch.data());
  EXPECT_EQ(sums, (std::vector<std::int32_t>{320, 32}));
}

}  // namespace
}  // namespace bitplane::kernels
