// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "bitplane/kernels/elementwise.h"
#include "kernels/elementwise_support.h"
#include "kernels/f32_support.h"

namespace bitplane::kernels {
namespace {

struct Sums {
  std::vector<float> dx, e, trained;
};

Sums garbage(RowBlock block) {
  const std::vector<float> channels(block.channels, kGarbage);
  return {std::vector<float>(block.rows * block.channels, kGarbage), channels, channels};
}

/// Element by element, as the header says.
Sums reference(const TrainedGradient& a) {
  Sums expected{std::vector<float>(a.block.rows * a.block.channels), std::vector<float>(a.block.channels),
                std::vector<float>(a.block.channels)};
  for (std::size_t i = 0; i < expected.dx.size(); ++i) {
    const bool passes = a.x[i] > a.pass.above && a.x[i] <= a.pass.up_to;
    const float e = passes ? a.dy[i] : 0.0F;
    float position = passes ? std::fma(a.x[i], a.factor, a.shift) : 0.0F;
    for (std::size_t l = 0; l < a.count; ++l) {
      if (a.x[i] > a.thresholds[l]) position += 1.0F;
    }
    float& sum = expected.trained[i % a.block.channels];
    sum = std::fma(a.dy[i], position, sum);
    expected.e[i % a.block.channels] += e;
    expected.dx[i] = std::fma(e, a.slope, 0.0F);
  }
  return expected;
}

class TrainedGradientTest : public ElementwiseIsaTest {
 protected:
  void expect_reference(TrainedGradient a) {
    const Sums expected = reference(a);
    Sums got = garbage(a.block);
    a.dx = got.dx.data(), a.sum_e = got.e.data(), a.sum_trained = got.trained.data();
    kernels().trained_gradient(a);
    EXPECT_EQ(bits_of(got.dx), bits_of(expected.dx));
    EXPECT_EQ(bits_of(got.e), bits_of(expected.e));
    EXPECT_EQ(bits_of(got.trained), bits_of(expected.trained));
  }
};
INSTANTIATE_TEST_SUITE_P(Isas, TrainedGradientTest, testing::ValuesIn(built_isas(Family::Elementwise)),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_P(TrainedGradientTest, EveryThresholdCountAndShape) {
  for (const std::size_t rows : {1, 2, 7, 64}) {
    for (const std::size_t channels : {1, 3, 15, 16, 17, 32, 47}) {
      for (const std::size_t count : {0, 1, 3, 15, 255}) {
        const std::uint64_t seed = (rows * 100 + channels) * 1000 + count;
        SCOPED_TRACE(testing::Message() << kernels().name << " rows=" << rows << " channels=" << channels
                                        << " count=" << count << " seed=" << seed);
        Numbers numbers(seed);
        const std::size_t size = rows * channels;
        std::vector<float> x = numbers.floats(size, -1.0F, 4.0F);
        const std::vector<float> dy = numbers.floats(size, -2.0F, 2.0F);
        std::vector<float> thresholds;
        for (std::size_t l = 0; l < count; ++l)
          thresholds.push_back(3.0F * (static_cast<float>(l) + 0.5F) / static_cast<float>(count));
        // On the bounds and on a threshold.
        if (count > 0) x[numbers.next() % size] = thresholds[numbers.next() % count];
        x[numbers.next() % size] = 0.0F;
        x[numbers.next() % size] = 3.0F;
        expect_reference({.block = {rows, channels},
                          .pass = {.above = 0.0F, .up_to = 3.0F},
                          .slope = 0.7F,
                          .factor = -1.3F,
                          .shift = 0.2F,
                          .thresholds = thresholds.data(),
                          .count = count,
                          .x = x.data(),
                          .dy = dy.data()});
      }
    }
  }
}

TEST_P(TrainedGradientTest, WhatDoesNotPassHasNoPosition) {
  const std::vector<float> x{-kInfinity, kInfinity, 3.0e38F, -0.0F, 1.0F}, dy{1.0F, 2.0F, 4.0F, 8.0F, 16.0F};
  const float threshold = 2.0F;
  expect_reference({.block = {1, 5},
                    .pass = {.above = 0.0F, .up_to = 1.5F},
                    .factor = 1.0F,
                    .thresholds = &threshold,
                    .count = 1,
                    .x = x.data(),
                    .dy = dy.data()});
}

TEST_P(TrainedGradientTest, InPlace) {
  Numbers numbers(11);
  const std::vector<float> x = numbers.floats(9 * 19);
  std::vector<float> dy = numbers.floats(9 * 19), sum(19, kGarbage), sum_trained = sum;
  TrainedGradient a{
      .block = {9, 19}, .pass = {.above = 0.0F}, .factor = 1.0F, .x = x.data(), .dy = dy.data()};
  const Sums expected = reference(a);
  a.dx = dy.data(), a.sum_e = sum.data(), a.sum_trained = sum_trained.data();
  kernels().trained_gradient(a);
  EXPECT_EQ(bits_of(dy), bits_of(expected.dx));
  EXPECT_EQ(bits_of(sum_trained), bits_of(expected.trained));
}

}  // namespace
}  // namespace bitplane::kernels
