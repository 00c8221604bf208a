// SPDX-License-Identifier: Apache-2.0
//
// What is special about kernels with output pixels in their lanes: bands and their borders, comparisons made
// in the lanes, and what they refuse. (That they agree with the oracle on random layers is tested with all
// kernels.)
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>
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

std::vector<const LowBitKernel*> pixel_kernels() {
  std::vector<const LowBitKernel*> kernels;
  for (const LowBitKernel* kernel : lowbit_kernels()) {
    if (kernel->info.name.find("_pixels_") != std::string_view::npos) kernels.push_back(kernel);
  }
  return kernels;
}

class PixelLanes : public testing::TestWithParam<const LowBitKernel*> {
 protected:
  void SetUp() override {
    if (!detect_cpu().has(GetParam()->info.isa)) {
      GTEST_SKIP() << "this CPU lacks " << isa_name(GetParam()->info.isa);
    }
  }
};

/// Codes of all widths; weights as in two's complement where they are unsigned.
Layer random_layer(Random& random, const ConvShape& shape, PlaneCounts bits) {
  Layer layer;
  layer.shape = shape;
  layer.weight_planes = bits.weights;
  layer.activation_planes = bits.activations;
  layer.weight_encoding = random.coin() ? Encoding::Unsigned : Encoding::Bipolar;
  for (std::size_t i = 0; i < bits.weights; ++i) layer.weight_multiples.push_back(1 << i);
  if (bits.weights > 1 && random.coin()) layer.weight_multiples.back() *= -1;
  for (std::size_t j = 0; j < bits.activations; ++j) layer.activation_multiples.push_back(1 << j);
  layer.weights.resize(shape.out_channels * shape.filter_size());
  for (auto& code : layer.weights)
    code = static_cast<std::uint16_t>(random.bits() & ((1U << bits.weights) - 1));
  layer.activations.resize(shape.batch * shape.height * shape.width * shape.channels);
  for (auto& code : layer.activations)
    code = static_cast<std::uint8_t>(random.bits() & ((1U << bits.activations) - 1));
  return layer;
}

ConvShape same_3x3(std::size_t height, std::size_t width, std::size_t channels, std::size_t out_channels) {
  return {.batch = 2,
          .height = height,
          .width = width,
          .channels = channels,
          .out_channels = out_channels,
          .kernel_h = 3,
          .kernel_w = 3,
          .pad_h = 1,
          .pad_w = 1};
}

/// A quantizer's thresholds on integers, per channel: hit exactly, never reached, always passed.
struct ChannelThresholds {
  std::vector<std::int32_t> thresholds, flip;  ///< [threshold][channel], [channel]
  std::vector<std::uint8_t> code_of_rank;
  std::size_t planes = 1;

  ChannelThresholds(Random& random, const std::vector<std::int32_t>& integers, std::size_t channels,
                    std::size_t count)
      : thresholds(count * channels), flip(channels) {
    constexpr std::int32_t kAlways = std::numeric_limits<std::int32_t>::min();
    constexpr std::int32_t kNever = std::numeric_limits<std::int32_t>::max();
    for (std::size_t c = 0; c < channels; ++c) {
      flip[c] = random.coin() ? -1 : 0;
      std::vector<std::int32_t> of_channel;
      for (std::size_t l = 0; l < count; ++l) {
        const std::size_t pixel = random.between(0, integers.size() / channels - 1);
        of_channel.push_back(integers[pixel * channels + c] ^ flip[c]);
      }
      if (random.between(0, 3) == 0) of_channel.front() = kAlways;
      if (random.between(0, 3) == 0) of_channel.back() = kNever;
      std::sort(of_channel.begin(), of_channel.end());
      for (std::size_t l = 0; l < count; ++l) thresholds[l * channels + c] = of_channel[l];
    }
    while ((std::size_t{1} << planes) < count + 1) ++planes;
    for (std::size_t rank = 0; rank <= count; ++rank)
      code_of_rank.push_back(static_cast<std::uint8_t>((rank * 5 + 3) % (std::size_t{1} << planes)));
  }

  [[nodiscard]] std::uint8_t code(std::int32_t integer, std::size_t c) const {
    std::size_t rank = 0;
    for (std::size_t at = c; at < thresholds.size(); at += flip.size())
      rank += (integer ^ flip[c]) > thresholds[at] ? 1 : 0;
    return code_of_rank[rank];
  }
};

/// Sums and codes of one layer, in ranges of rows.
void expect_agreement(Random& random, const LowBitKernel& kernel, const Layer& layer,
                      std::size_t thresholds) {
  ASSERT_TRUE(supports(kernel, layer));
  const std::vector<std::int32_t> integers = reference::integers_of(layer);
  LayerRunner runner(layer, kernel);
  ASSERT_EQ(runner.integers(random.between(1, runner.rows())), integers);

  const std::size_t channels = layer.shape.out_channels;
  const ChannelThresholds quantizer(random, integers, channels, thresholds);
  std::vector<std::uint8_t> codes;
  for (std::size_t at = 0; at < integers.size(); ++at)
    codes.push_back(quantizer.code(integers[at], at % channels));
  const ActivationLayout layout{.height = layer.shape.out_height(),
                                .width = layer.shape.out_width(),
                                .channels = channels,
                                .planes = quantizer.planes};
  AlignedArray<std::byte> expected(layer.shape.batch * layout.picture_bytes());
  pack_codes(codes, layer.shape.batch, layout, expected.data());
  reference::Guarded<std::byte> planes(expected.size(), 8);
  planes.fill_bytes(0x99);
  runner.run({.kind = EpilogueKind::Planes,
              .ranks = {nullptr, thresholds, quantizer.code_of_rank.data()},
              .integer = {quantizer.thresholds.data(), quantizer.flip.data()},
              .out_planes = planes.data(),
              .layout = layout},
             random.between(1, runner.rows()));
  ASSERT_EQ(std::memcmp(planes.data(), expected.data(), expected.size()), 0);
}

TEST_P(PixelLanes, WidthsAroundWholeRegisters) {
  std::uint64_t seed = 100;
  for (const std::size_t channels : {16, 32, 64}) {
    for (const std::size_t width : {1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 65}) {
      SCOPED_TRACE("seed " + std::to_string(++seed) + ", " + std::to_string(channels) + " channels, width " +
                   std::to_string(width));
      Random random(seed);
      const Layer layer = random_layer(random, same_3x3(random.between(1, 5), width, channels, channels),
                                       {random.between(1, 2), random.between(1, 3)});
      expect_agreement(random, *GetParam(), layer, 3);
    }
  }
}

TEST_P(PixelLanes, HeightsOfSeveralBands) {
  for (const std::size_t height : {20, 37, 61}) {
    SCOPED_TRACE("height and seed " + std::to_string(height));
    Random random(height);
    expect_agreement(random, *GetParam(), random_layer(random, same_3x3(height, 30, 16, 16), {1, 2}), 3);
  }
}

TEST_P(PixelLanes, EveryNumberOfThresholdsAndPlanes) {
  for (std::size_t thresholds = 1; thresholds <= 15; ++thresholds) {
    for (const std::size_t channels : {16, 32, 64}) {
      SCOPED_TRACE(std::to_string(thresholds) + " thresholds, " + std::to_string(channels) + " channels");
      Random random(thresholds * 100 + channels);
      const Layer layer = random_layer(random, same_3x3(3, 19, channels, channels),
                                       {random.between(1, 2), random.between(1, 3)});
      expect_agreement(random, *GetParam(), layer, thresholds);
    }
  }
}

/// Granules with pad bits, more or fewer output channels than a granule has bits, other windows.
TEST_P(PixelLanes, ChannelsAndWindowsOfEverySize) {
  std::uint64_t seed = 500;
  for (const std::size_t channels : {1, 3, 4, 5, 15, 17, 31, 33, 63}) {
    for (const std::size_t out_channels : {1, 3, 4, 5, 8, 16, 17, 32, 33}) {
      SCOPED_TRACE("seed " + std::to_string(++seed));
      Random random(seed);
      ConvShape shape = same_3x3(random.between(3, 9), random.between(5, 30), channels, out_channels);
      shape.kernel_h = random.between(1, 3);
      shape.kernel_w = random.between(2, 4);
      shape.pad_h = random.between(0, 2);
      shape.dilation_w = random.between(1, 2);
      expect_agreement(random, *GetParam(), random_layer(random, shape, {random.between(1, 3), 2}), 3);
    }
  }
}

/// All bits set, and none: as near to 16 bits as sums may come.
TEST_P(PixelLanes, LargestSums) {
  for (const PlaneCounts bits :
       {PlaneCounts{1, 1}, PlaneCounts{1, 4}, PlaneCounts{2, 3}, PlaneCounts{3, 3}}) {
    for (const std::uint16_t weight : {std::uint16_t{0}, std::uint16_t{255}}) {
      for (const Encoding encoding : {Encoding::Unsigned, Encoding::Bipolar}) {
        SCOPED_TRACE(std::to_string(bits.weights) + "/" + std::to_string(bits.activations) + " bits");
        Random random(7);
        Layer layer = random_layer(random, same_3x3(5, 9, 64, 64), bits);
        layer.weight_encoding = encoding;
        for (auto& code : layer.weights)
          code = static_cast<std::uint16_t>(weight & ((1U << bits.weights) - 1));
        for (auto& code : layer.activations) code = static_cast<std::uint8_t>((1U << bits.activations) - 1);
        expect_agreement(random, *GetParam(), layer, 3);
      }
    }
  }
}

/// Where a granule of the output has a bit per channel, and only there.
TEST_P(PixelLanes, PrefersIntegersWhereItComparesInTheLanes) {
  const RankCodes three{.count = 3}, one{.count = 1};
  const auto prefers = [&](std::size_t out_channels, const RankCodes& ranks) {
    Random random(out_channels);
    const Layer layer = random_layer(random, same_3x3(4, 6, 16, out_channels), {1, 2});
    const ActivationLayout out{.height = 4, .width = 6, .channels = out_channels, .planes = 2};
    return LayerRunner(layer, *GetParam()).conv().prefers_integers(ranks, out);
  };
  EXPECT_TRUE(prefers(16, three));
  EXPECT_FALSE(prefers(15, three));
  EXPECT_FALSE(prefers(32, three));
  EXPECT_TRUE(prefers(15, one));
}

TEST_P(PixelLanes, RefusesWhatItsLanesCannotHold) {
  Random random(1);
  const Layer plain = random_layer(random, same_3x3(4, 6, 64, 8), {2, 2});
  EXPECT_TRUE(supports(*GetParam(), plain));
  Layer layer = plain;
  layer.shape.stride_w = 2;
  EXPECT_FALSE(supports(*GetParam(), layer));
  layer = plain;
  layer.activation_encoding = Encoding::Bipolar;
  EXPECT_FALSE(supports(*GetParam(), layer));
  layer = plain;
  layer.combination = Combination::LearnedWeights;
  EXPECT_FALSE(supports(*GetParam(), layer));
  layer = plain;
  layer.activation_offset = 1.0F;
  EXPECT_FALSE(supports(*GetParam(), layer));
  layer = plain;
  layer.weight_multiples = {8, 16};  // 576 * 24 * 3
  EXPECT_FALSE(supports(*GetParam(), layer));
  EXPECT_FALSE(supports(*GetParam(), random_layer(random, same_3x3(4, 6, 65, 8), {1, 1})));
  EXPECT_FALSE(supports(*GetParam(), random_layer(random, same_3x3(4, 6, 8, 8), {1, 5})));
}

TEST(PixelLanesSelection, TakesThemForFewChannels) {
  const std::int32_t multiples[] = {1, 2};
  const BitConvSpec spec{.shape = same_3x3(32, 32, 16, 16),
                         .weight_encoding = Encoding::Bipolar,
                         .weights = {.planes = 1, .rows = 16, .k = 144},
                         .activation_planes = 2,
                         .weight_multiples = multiples,
                         .activation_multiples = multiples};
  for (const LowBitKernel* kernel : pixel_kernels()) {
    if (!detect_cpu().has(kernel->info.isa)) continue;
    EXPECT_EQ(
        select_lowbit({.features = detect_cpu().limited_to(kernel->info.isa), .family = {}}, spec).info.name,
        kernel->info.name);
  }
}

INSTANTIATE_TEST_SUITE_P(AllKernels, PixelLanes, testing::ValuesIn(pixel_kernels()),
                         [](const auto& test) { return std::string(test.param->info.name); });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(PixelLanes);

}  // namespace
}  // namespace bitplane::kernels
