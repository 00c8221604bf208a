// SPDX-License-Identifier: Apache-2.0
#include "bitplane/kernels/elementwise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "kernels/elementwise_support.h"
#include "kernels/f32_support.h"

namespace bitplane::kernels {
namespace {

class ElementwiseTest : public ElementwiseBlockTest {};
INSTANTIATE_TEST_SUITE_P(Isas, ElementwiseTest, testing::ValuesIn(built_isas(Family::Elementwise)),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_P(ElementwiseTest, ChannelSumsAndMomentsAreChains) {
  for_blocks([&](RowBlock block, Numbers& numbers) {
    const auto x = numbers.floats(block.rows * block.channels, -3.0F, 5.0F);
    std::vector<float> sum(block.channels, kGarbage), mean = sum, m2 = sum;
    std::vector<float> expected_sum(block.channels), expected_mean(block.channels),
        expected_m2(block.channels);
    for (std::size_t c = 0; c < block.channels; ++c) {
      for (std::size_t r = 0; r < block.rows; ++r) expected_sum[c] += x[r * block.channels + c];
      expected_mean[c] = expected_sum[c] / static_cast<float>(block.rows);
      for (std::size_t r = 0; r < block.rows; ++r) {
        const float d = x[r * block.channels + c] - expected_mean[c];
        expected_m2[c] = std::fma(d, d, expected_m2[c]);
      }
    }
    kernels().channel_sums({.block = block, .x = x.data(), .sum = sum.data()});
    kernels().channel_moments({.block = block, .x = x.data(), .mean = mean.data(), .m2 = m2.data()});
    EXPECT_EQ(bits_of(sum), bits_of(expected_sum));
    EXPECT_EQ(bits_of(mean), bits_of(expected_mean));
    EXPECT_EQ(bits_of(m2), bits_of(expected_m2));
  });
}

constexpr PassInterval kIntervals[] = {{}, {.above = 0.0F}, {.above = 0.0F, .up_to = 0.5F}, {-1.0F, 1.5F}};

TEST_P(ElementwiseTest, MaskGradientPassesTheInterval) {
  for (const std::size_t size : {1, 15, 16, 17, 31, 1000}) {
    for (const PassInterval& pass : kIntervals) {
      SCOPED_TRACE(testing::Message()
                   << "size=" << size << " above=" << pass.above << " up to=" << pass.up_to);
      Numbers numbers(size);
      const auto x = awkward(numbers, size), dy = awkward(numbers, size);
      std::vector<float> dx(size, kGarbage), expected(size);
      for (std::size_t i = 0; i < size; ++i)
        expected[i] = x[i] > pass.above && x[i] <= pass.up_to ? dy[i] : 0.0F;
      kernels().mask_gradient({.size = size, .pass = pass, .x = x.data(), .dy = dy.data(), .dx = dx.data()});
      EXPECT_EQ(bits_of(dx), bits_of(expected));
    }
  }
}

TEST_P(ElementwiseTest, NormBackward) {
  for_blocks([&](RowBlock block, Numbers& numbers) {
    const std::size_t channels = block.channels, size = block.rows * channels;
    const auto x = numbers.floats(size, -2.0F, 2.0F), dy = awkward(numbers, size);
    const auto scale = numbers.floats(channels), shift = numbers.floats(channels),
               mean = numbers.floats(channels);
    const auto slope = numbers.floats(channels), constant = numbers.floats(channels);
    for (const PassInterval& pass : kIntervals) {
      SCOPED_TRACE(testing::Message() << "above=" << pass.above << " up to=" << pass.up_to);
      std::vector<float> sum_e(channels, kGarbage), sum_ex = sum_e, dx(size, kGarbage);
      std::vector<float> expected_e(channels), expected_ex(channels), expected_dx(size);
      for (std::size_t i = 0; i < size; ++i) {
        const std::size_t c = i % channels;
        const float t = std::fma(x[i], scale[c], shift[c]);
        const float e = t > pass.above && t <= pass.up_to ? dy[i] : 0.0F;
        expected_e[c] += e;
        expected_ex[c] = std::fma(e, x[i] - mean[c], expected_ex[c]);
        expected_dx[i] = std::fma(e, scale[c], std::fma(x[i] - mean[c], slope[c], constant[c]));
      }
      const NormBackward of{.block = block,
                            .pass = pass,
                            .affine = {scale.data(), shift.data()},
                            .mean = mean.data(),
                            .x = x.data(),
                            .dy = dy.data()};
      kernels().norm_sums({.of = of, .sum_e = sum_e.data(), .sum_ex = sum_ex.data()});
      kernels().norm_gradient({.of = of, .slope = slope.data(), .shift = constant.data(), .dx = dx.data()});
      EXPECT_EQ(bits_of(sum_e), bits_of(expected_e));
      EXPECT_EQ(bits_of(sum_ex), bits_of(expected_ex));
      EXPECT_EQ(bits_of(dx), bits_of(expected_dx));
    }
  });
}

TEST_P(ElementwiseTest, AddAndSgdStep) {
  for (const std::size_t size : {1, 5, 16, 33, 257}) {
    SCOPED_TRACE(size);
    Numbers numbers(size);
    const auto gradient = awkward(numbers, size);
    auto velocity = numbers.floats(size), weight = awkward(numbers, size);
    std::vector<float> y(size, kGarbage), expected_y(size), expected_velocity(size), expected_weight(size);
    auto nesterov_velocity = velocity, nesterov_weight = weight, expected_nesterov = weight;
    for (std::size_t i = 0; i < size; ++i) {
      expected_y[i] = gradient[i] + velocity[i];
      expected_velocity[i] = std::fma(0.9F, velocity[i], std::fma(1e-3F, weight[i], gradient[i]));
      expected_weight[i] = std::fma(-0.05F, expected_velocity[i], weight[i]);
      const float ahead = std::fma(0.9F, expected_velocity[i], std::fma(1e-3F, weight[i], gradient[i]));
      expected_nesterov[i] = std::fma(-0.05F, ahead, weight[i]);
    }
    kernels().add({.size = size, .a = gradient.data(), .b = velocity.data(), .y = y.data()});
    kernels().sgd_step({.size = size,
                        .rate = 0.05F,
                        .momentum = 0.9F,
                        .decay = 1e-3F,
                        .gradient = gradient.data(),
                        .velocity = velocity.data(),
                        .weight = weight.data()});
    EXPECT_EQ(bits_of(y), bits_of(expected_y));
    EXPECT_EQ(bits_of(velocity), bits_of(expected_velocity));
    EXPECT_EQ(bits_of(weight), bits_of(expected_weight));
    kernels().sgd_step({.size = size,
                        .rate = 0.05F,
                        .momentum = 0.9F,
                        .decay = 1e-3F,
                        .rule = Momentum::Nesterov,
                        .gradient = gradient.data(),
                        .velocity = nesterov_velocity.data(),
                        .weight = nesterov_weight.data()});
    EXPECT_EQ(bits_of(nesterov_velocity), bits_of(expected_velocity));
    EXPECT_EQ(bits_of(nesterov_weight), bits_of(expected_nesterov));
  }
}

TEST_P(ElementwiseTest, AdamStep) {
  for (const std::size_t size : {1, 5, 16, 33, 257}) {
    SCOPED_TRACE(size);
    Numbers numbers(size);
    const auto gradient = awkward(numbers, size);
    auto mean = numbers.floats(size), square = numbers.floats(size, 0.0F, 2.0F),
         weight = awkward(numbers, size);
    auto expected_mean = mean, expected_square = square, expected_weight = weight;
    for (std::size_t i = 0; i < size; ++i) {
      const float slope = std::fma(1e-3F, weight[i], gradient[i]);
      expected_mean[i] = std::fma(0.9F, mean[i], (1.0F - 0.9F) * slope);
      expected_square[i] = std::fma(0.99F, square[i], (1.0F - 0.99F) * slope * slope);
      const float below = std::fma(std::sqrt(expected_square[i]), 1.25F, 1e-8F);
      expected_weight[i] = std::fma(-0.05F, expected_mean[i] / below, std::fma(-0.01F, weight[i], weight[i]));
    }
    kernels().adam_step({.size = size,
                         .rate = 0.05F,
                         .beta1 = 0.9F,
                         .beta2 = 0.99F,
                         .epsilon = 1e-8F,
                         .inverse_root = 1.25F,
                         .decay = 1e-3F,
                         .shrink = 0.01F,
                         .gradient = gradient.data(),
                         .mean = mean.data(),
                         .square = square.data(),
                         .weight = weight.data()});
    EXPECT_EQ(bits_of(mean), bits_of(expected_mean));
    EXPECT_EQ(bits_of(square), bits_of(expected_square));
    EXPECT_EQ(bits_of(weight), bits_of(expected_weight));
  }
}

TEST_P(ElementwiseTest, Blend) {
  for (const std::size_t size : {1, 5, 16, 33, 257}) {
    SCOPED_TRACE(size);
    Numbers numbers(size);
    const auto x = awkward(numbers, size);
    auto y = numbers.floats(size);
    auto expected = y;
    for (std::size_t i = 0; i < size; ++i) expected[i] = std::fma(0.125F, x[i] - y[i], y[i]);
    kernels().blend({.size = size, .share = 0.125F, .x = x.data(), .y = y.data()});
    EXPECT_EQ(bits_of(y), bits_of(expected));
  }
}

const PoolShape kPools[] = {
    {.batch = 2, .height = 6, .width = 4, .channels = 32, .out_height = 3, .out_width = 2},
    {.batch = 1, .height = 7, .width = 5, .channels = 17, .out_height = 3, .out_width = 2},  // a row and
                                                                                             // column unused
    {.batch = 2,
     .height = 7,
     .width = 7,
     .channels = 5,
     .kernel_h = 3,
     .kernel_w = 3,
     .pad_h = 1,
     .pad_w = 1,
     .out_height = 4,
     .out_width = 4},  // overlapping, padded
    {.batch = 1,
     .height = 4,
     .width = 9,
     .channels = 3,
     .kernel_h = 3,
     .kernel_w = 2,
     .stride_h = 2,
     .stride_w = 3,
     .out_height = 2,
     .out_width = 3},  // ceil mode: the last row of windows hangs over
    {.batch = 1,
     .height = 1,
     .width = 1,
     .channels = 1,
     .kernel_h = 3,
     .kernel_w = 3,
     .pad_h = 1,
     .pad_w = 1,
     .out_height = 1,
     .out_width = 1},
};

TEST_P(ElementwiseTest, MaxPoolAndGradient) {
  for (const PoolShape& s : kPools) {
    SCOPED_TRACE(testing::Message() << "picture " << s.height << " x " << s.width << " x " << s.channels);
    Numbers numbers(s.height * 100 + s.width);
    std::vector<float> x(s.batch * s.height * s.width * s.channels);
    for (float& v : x) v = static_cast<float>(numbers.next() % 5) - 2.0F;  // many ties
    const std::size_t out_size = s.batch * s.out_height * s.out_width * s.channels;
    const auto dy = numbers.floats(out_size);
    std::vector<float> expected_y(out_size), expected_dx(x.size());
    std::vector<std::uint8_t> expected_argmax(out_size);
    for (std::size_t i = 0; i < out_size; ++i) {
      const std::size_t c = i % s.channels, ox = i / s.channels % s.out_width;
      const std::size_t oy = i / s.channels / s.out_width % s.out_height;
      const std::size_t n = i / s.channels / s.out_width / s.out_height;
      std::size_t best = x.size();
      for (std::size_t tap = 0; tap < s.kernel_h * s.kernel_w; ++tap) {
        const auto y = static_cast<std::ptrdiff_t>(oy * s.stride_h + tap / s.kernel_w) -
                       static_cast<std::ptrdiff_t>(s.pad_h);
        const auto column = static_cast<std::ptrdiff_t>(ox * s.stride_w + tap % s.kernel_w) -
                            static_cast<std::ptrdiff_t>(s.pad_w);
        if (y < 0 || column < 0 || y >= static_cast<std::ptrdiff_t>(s.height) ||
            column >= static_cast<std::ptrdiff_t>(s.width)) {
          continue;
        }
        const std::size_t at =
            ((n * s.height + static_cast<std::size_t>(y)) * s.width + static_cast<std::size_t>(column)) *
                s.channels +
            c;
        if (best == x.size() || x[at] > x[best]) {
          best = at;
          expected_argmax[i] = static_cast<std::uint8_t>(tap);
        }
      }
      expected_y[i] = x[best];
      expected_dx[best] += dy[i];
    }
    std::vector<float> y(out_size, kGarbage), dx(x.size(), kGarbage);
    std::vector<std::uint8_t> argmax(out_size, 0xa5);
    kernels().max_pool({.shape = s, .x = x.data(), .y = y.data(), .argmax = argmax.data()});
    kernels().max_pool_gradient({.shape = s, .dy = dy.data(), .argmax = argmax.data(), .dx = dx.data()});
    EXPECT_EQ(bits_of(y), bits_of(expected_y));
    EXPECT_EQ(argmax, expected_argmax);
    EXPECT_EQ(bits_of(dx), bits_of(expected_dx));
  }
}

}  // namespace
}  // namespace bitplane::kernels
