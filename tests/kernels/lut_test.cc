// SPDX-License-Identifier: Apache-2.0
//
// What is special about the look-up family: sums of extreme codes around every place where they are widened,
// tails of registers and tiles, and what it refuses. (That it agrees with the oracle on random layers,
// strides and groups is tested with all families.)
#include "bitplane/kernels/lut.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "kernels/reference/bit_conv_runner.h"
#include "kernels/reference/random.h"

namespace bitplane::kernels {
namespace {

using reference::Layer;
using reference::LayerRunner;
using reference::PlaneCounts;
using reference::Random;
using reference::supports;

std::vector<const LowBitKernel*> lut_kernels() {
  std::vector<const LowBitKernel*> kernels;
  for (const LowBitKernel* kernel : lowbit_kernels()) {
    // Those with pixels in the lanes have a test of their own.
    if (kernel->info.family == Family::Lut && kernel->info.name.find("_pixels_") == std::string_view::npos)
      kernels.push_back(kernel);
  }
  return kernels;
}

/// The role of weights as tables, whose sums of a whole row must fit 16 bits.
bool weights_are_tables(const LowBitKernel& kernel) {
  return kernel.info.name.starts_with("lut_weights");
}

class Lut : public testing::TestWithParam<const LowBitKernel*> {
 protected:
  void SetUp() override {
    if (!detect_cpu().has(GetParam()->info.isa)) {
      GTEST_SKIP() << "this CPU lacks " << isa_name(GetParam()->info.isa);
    }
  }
};

std::vector<std::int32_t> powers(std::size_t planes) {
  std::vector<std::int32_t> multiples;
  for (std::size_t i = 0; i < planes; ++i) multiples.push_back(1 << i);
  return multiples;
}

Layer make_layer(const ConvShape& shape, PlaneCounts bits) {
  Layer layer;
  layer.shape = shape;
  layer.weight_planes = bits.weights;
  layer.activation_planes = bits.activations;
  layer.weight_multiples = powers(bits.weights);
  layer.activation_multiples = powers(bits.activations);
  layer.weights.resize(shape.out_channels * shape.filter_size());
  layer.activations.resize(shape.batch * shape.height * shape.width * shape.channels);
  return layer;
}

/// All bits set: every table entry that is looked up is the largest, and A = K (2^Kw - 1)(2^Ka - 1).
void expect_largest_sums(const LowBitKernel& kernel, std::size_t k, PlaneCounts bits) {
  SCOPED_TRACE(std::to_string(bits.weights) + "/" + std::to_string(bits.activations) +
               " bits, K = " + std::to_string(k));
  Layer layer = make_layer({.width = 5, .channels = k, .out_channels = 3}, bits);
  std::fill(layer.weights.begin(), layer.weights.end(), static_cast<std::uint16_t>((1U << bits.weights) - 1));
  std::fill(layer.activations.begin(), layer.activations.end(),
            static_cast<std::uint8_t>((1U << bits.activations) - 1));
  if (weights_are_tables(kernel) && (k + 63) / 64 * 64 * ((1U << bits.weights) - 1) > 65535) {
    EXPECT_FALSE(supports(kernel, layer));
    return;
  }
  ASSERT_TRUE(supports(kernel, layer));
  const auto largest =
      static_cast<std::int32_t>(k * ((1U << bits.weights) - 1) * ((1U << bits.activations) - 1));
  for (const Encoding encoding : {Encoding::Unsigned, Encoding::Bipolar}) {
    layer.weight_encoding = encoding;
    ASSERT_EQ(LayerRunner(layer, kernel).integers(1), std::vector<std::int32_t>(15, largest));
  }
  // Bipolar weights of -1: the sums are zero, the window's sum is all that counts.
  std::fill(layer.weights.begin(), layer.weights.end(), std::uint16_t{0});
  ASSERT_EQ(LayerRunner(layer, kernel).integers(1), std::vector<std::int32_t>(15, -largest));
}

TEST_P(Lut, LargestSumsAroundEveryWidening) {
  for (std::size_t weights = 1; weights <= 4; ++weights) {
    for (std::size_t activations = 1; activations <= 4; ++activations) {
      const std::size_t tables = weights_are_tables(*GetParam()) ? weights : activations;
      const std::size_t largest = (std::size_t{1} << tables) - 1;
      std::vector<std::size_t> bounds;
      for (const std::size_t group : {4, 6}) {  // bytes, the first times
        const std::size_t groups = 255 / (group * largest);
        for (std::size_t times = 1; times <= 2; ++times) {
          for (std::size_t less = 0; less < std::min<std::size_t>(5, groups); ++less) {
            bounds.push_back((groups - less) * group * times);
          }
        }
      }
      if (weights + activations <= 4) bounds.push_back(65535 / largest);  // 16 bits
      for (const std::size_t bound : bounds) {
        for (const std::size_t k : {bound - 1, bound, bound + 1}) {
          expect_largest_sums(*GetParam(), k, {weights, activations});
        }
      }
    }
  }
}

TEST_P(Lut, SumsBeyondSixteenBits) {
  for (const std::size_t k : {std::size_t{65536}, std::size_t{70001}, std::size_t{131073}}) {
    expect_largest_sums(*GetParam(), k, {1, 1});
    expect_largest_sums(*GetParam(), k, {3, 4});
  }
}

TEST_P(Lut, TilesOfEverySize) {
  for (const std::size_t out_channels : {1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 191, 193}) {
    for (const std::size_t pixels : {1, 2, 3, 4, 5, 7, 8, 9, 11, 15, 47, 48, 49, 57, 64, 65, 193}) {
      SCOPED_TRACE(std::to_string(out_channels) + " channels, " + std::to_string(pixels) + " pixels");
      Random random(out_channels * 1000 + pixels);
      const PlaneCounts bits{random.between(1, 4), random.between(1, 4)};
      Layer layer = make_layer({.width = pixels, .channels = 29, .out_channels = out_channels}, bits);
      layer.weight_encoding = random.coin() ? Encoding::Unsigned : Encoding::Bipolar;
      for (auto& code : layer.weights) {
        code = static_cast<std::uint16_t>(random.bits() & ((1U << bits.weights) - 1));
      }
      for (auto& code : layer.activations) {
        code = static_cast<std::uint8_t>(random.bits() & ((1U << bits.activations) - 1));
      }
      ASSERT_TRUE(supports(*GetParam(), layer));
      ASSERT_EQ(LayerRunner(layer, *GetParam()).integers(1), reference::integers_of(layer));
    }
  }
}

/// Selection may ask any kernel on any machine.
TEST(LutSupports, UniformUnsignedActivationsOfFewBitsWithoutOffsets) {
  for (const LowBitKernel* kernel : lut_kernels()) {
    SCOPED_TRACE(kernel->info.name);
    const Layer plain = make_layer({.channels = 9, .out_channels = 2}, {2, 2});
    EXPECT_TRUE(supports(*kernel, plain));
    Layer layer = plain;
    layer.activation_encoding = Encoding::Bipolar;
    EXPECT_FALSE(supports(*kernel, layer));
    layer = plain;
    layer.activation_offset = 0.5F;
    EXPECT_FALSE(supports(*kernel, layer));
    layer = plain;
    layer.weight_offset = {0.5F, 0.25F};
    EXPECT_FALSE(supports(*kernel, layer));
    layer = plain;
    layer.combination = Combination::LearnedWeights;
    EXPECT_FALSE(supports(*kernel, layer));
    // What is in the tables is bounded: 4 planes, sums within a byte. Activations must not be negative there.
    const bool weights = weights_are_tables(*kernel);
    layer = plain;
    (weights ? layer.weight_multiples : layer.activation_multiples) = {1, 128};
    EXPECT_FALSE(supports(*kernel, layer));
    layer = plain;
    layer.activation_multiples = {1, -2};
    EXPECT_EQ(supports(*kernel, layer), weights);
    layer = plain;
    layer.weight_multiples = {1, -2};
    EXPECT_TRUE(supports(*kernel, layer));
    EXPECT_EQ(supports(*kernel, make_layer(plain.shape, {8, 4})), !weights);
    EXPECT_EQ(supports(*kernel, make_layer(plain.shape, {4, 8})), weights);
  }
}

INSTANTIATE_TEST_SUITE_P(AllKernels, Lut, testing::ValuesIn(lut_kernels()),
                         [](const auto& test) { return std::string(test.param->info.name); });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Lut);

}  // namespace
}  // namespace bitplane::kernels
