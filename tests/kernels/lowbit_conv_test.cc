// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "kernels/reference/bit_conv_runner.h"
#include "kernels/reference/random.h"

namespace bitplane::kernels {
namespace {

using reference::Layer;
using reference::LayerRunner;
using reference::Random;

constexpr Encoding kEncodings[] = {Encoding::Unsigned, Encoding::Bipolar};
constexpr Combination kCombinations[] = {Combination::UniformBoth, Combination::LearnedWeights,
                                         Combination::LearnedActivations, Combination::LearnedBoth};

/// What the codes of an operand look like: extreme ones find overflows and wrong tails.
enum class Fill { Random, Zeros, Ones };

template <class Code>
void fill_codes(Random& random, std::size_t count, std::size_t planes, Fill fill, std::vector<Code>& codes) {
  const auto mask = static_cast<Code>((1U << planes) - 1U);
  codes.resize(count);
  for (Code& code : codes) {
    code = fill == Fill::Zeros  ? Code{0}
           : fill == Fill::Ones ? mask
                                : static_cast<Code>(random.bits() & mask);
  }
}

/// +-2^i, as in two's complement (last one negative) or, sometimes, in any order and of any sign.
std::vector<std::int32_t> random_multiples(Random& random, std::size_t planes) {
  std::vector<std::int32_t> multiples;
  for (std::size_t i = 0; i < planes; ++i) multiples.push_back(1 << std::min<std::size_t>(i, 10));
  if (random.coin()) multiples.back() = -multiples.back();
  if (random.between(0, 3) == 0) {
    for (std::int32_t& multiple : multiples) multiple = random.coin() ? multiple : -multiple;
    std::swap(multiples.front(), multiples.back());
  }
  return multiples;
}

/// Fills everything of `layer` that its shape, planes and combination ask for.
void fill_layer(Random& random, Fill weights, Fill activations, Layer& layer) {
  const ConvShape& shape = layer.shape;
  fill_codes(random, shape.out_channels * shape.filter_size(), layer.weight_planes, weights, layer.weights);
  fill_codes(random, shape.batch * shape.height * shape.width * shape.channels, layer.activation_planes,
             activations, layer.activations);
  if (layer.learned_weights()) {
    for (std::size_t i = 0; i < layer.weight_planes * shape.out_channels; ++i)
      layer.weight_basis.push_back(random.real());
  } else {
    layer.weight_multiples = random_multiples(random, layer.weight_planes);
  }
  if (layer.learned_activations()) {
    for (std::size_t j = 0; j < layer.activation_planes; ++j) layer.activation_basis.push_back(random.real());
  } else {
    layer.activation_multiples = random_multiples(random, layer.activation_planes);
  }
}

void add_offsets(Random& random, Layer& layer) {
  if (random.coin()) {
    for (std::size_t o = 0; o < layer.shape.out_channels; ++o) layer.weight_offset.push_back(random.real());
  }
  if (random.coin()) layer.activation_offset = random.real();
}

std::string describe(const Layer& layer) {
  const ConvShape& s = layer.shape;
  std::string text;
  for (const std::size_t value : {s.batch, s.height, s.width, s.channels, s.out_channels, s.kernel_h,
                                  s.kernel_w, s.stride_h, s.stride_w, s.pad_h, s.pad_w, s.dilation_h,
                                  s.dilation_w, s.groups, layer.weight_planes, layer.activation_planes}) {
    text += std::to_string(value) + " ";
  }
  return text + "encodings " + std::to_string(static_cast<int>(layer.weight_encoding)) +
         std::to_string(static_cast<int>(layer.activation_encoding)) + " combination " +
         std::to_string(static_cast<int>(layer.combination));
}

/// The same layer with the planes of the next layer as output: thresholds on z, two of them hit exactly.
void expect_planes(const Layer& layer, const std::vector<float>& z, std::size_t row_step) {
  const ConvShape& shape = layer.shape;
  std::vector<float> thresholds{z.front(), z.back(), 1.5F};
  std::sort(thresholds.begin(), thresholds.end());
  const std::vector<std::uint8_t> code_of_rank{2, 0, 3, 1};
  std::vector<std::uint8_t> codes;
  for (const float value : z) {
    const auto passed = [value](float threshold) { return value > threshold; };
    codes.push_back(
        code_of_rank[static_cast<std::size_t>(std::count_if(thresholds.begin(), thresholds.end(), passed))]);
  }
  const ActivationLayout layout{.height = shape.out_height(),
                                .width = shape.out_width(),
                                .channels = shape.out_channels,
                                .planes = 2,
                                .groups = shape.groups};
  AlignedArray<std::byte> expected(shape.batch * layout.picture_bytes());
  pack_codes(codes, shape.batch, layout, expected.data());
  const std::vector<float> ones(shape.out_channels, 1.0F), zeros(shape.out_channels, 0.0F);
  for (const LowBitKernel* kernel : reference::kernels_for(layer)) {
    SCOPED_TRACE(kernel->info.name);
    reference::Guarded<std::byte> planes(expected.size(), 8);
    planes.fill_bytes(0x99);
    LayerRunner(layer, *kernel)
        .run({.kind = EpilogueKind::Planes,
              .affine = {ones.data(), zeros.data()},
              .ranks = {thresholds.data(), thresholds.size(), code_of_rank.data()},
              .out_planes = planes.data(),
              .layout = layout},
             row_step);
    ASSERT_EQ(std::memcmp(planes.data(), expected.data(), expected.size()), 0);
  }
}

/// Ranks and planes of the integers A against thresholds of their own per channel, where nothing is added to
/// z.
void expect_integer_ranks(const Layer& layer, std::size_t row_step) {
  if (layer.combination != Combination::UniformBoth || !layer.weight_offset.empty() ||
      layer.activation_offset != 0.0F)
    return;
  const std::vector<std::int32_t> integers = reference::integers_of(layer);
  const std::size_t channels = layer.shape.out_channels;
  std::vector<std::int32_t> thresholds, flip;
  for (std::size_t c = 0; c < channels; ++c) flip.push_back(c % 3 == 1 ? -1 : 0);
  for (std::size_t c = 0; c < channels; ++c) thresholds.push_back(integers[c] ^ flip[c]);
  for (std::size_t c = 0; c < channels; ++c) thresholds.push_back(thresholds[c] + static_cast<int>(c % 5));
  std::vector<std::uint8_t> expected;
  for (std::size_t at = 0; at < integers.size(); ++at) {
    const std::size_t c = at % channels;
    const std::int32_t a = integers[at] ^ flip[c];
    expected.push_back(static_cast<std::uint8_t>((a > thresholds[c]) + (a > thresholds[channels + c])));
  }
  for (const LowBitKernel* kernel : reference::kernels_for(layer)) {
    SCOPED_TRACE(kernel->info.name);
    reference::Guarded<std::uint8_t> ranks(expected.size());
    ranks.fill_bytes(0xEE);
    LayerRunner(layer, *kernel)
        .run({.kind = EpilogueKind::Ranks,
              .ranks = {.count = 2},
              .integer = {thresholds.data(), flip.data()},
              .out_ranks = ranks.data()},
             row_step);
    ASSERT_EQ(std::vector<std::uint8_t>(ranks.begin(), ranks.end()), expected);

    const ActivationLayout layout{.height = layer.shape.out_height(),
                                  .width = layer.shape.out_width(),
                                  .channels = channels,
                                  .planes = 2,
                                  .groups = layer.shape.groups};
    const std::vector<std::uint8_t> code_of_rank{0, 1, 2};
    AlignedArray<std::byte> expected_planes(layer.shape.batch * layout.picture_bytes());
    pack_codes(expected, layer.shape.batch, layout, expected_planes.data());
    reference::Guarded<std::byte> planes(expected_planes.size(), 8);
    planes.fill_bytes(0x99);
    LayerRunner(layer, *kernel)
        .run({.kind = EpilogueKind::Planes,
              .ranks = {nullptr, 2, code_of_rank.data()},
              .integer = {thresholds.data(), flip.data()},
              .out_planes = planes.data(),
              .layout = layout},
             row_step);
    ASSERT_EQ(std::memcmp(planes.data(), expected_planes.data(), expected_planes.size()), 0);
  }
}

/// Bit for bit against the oracle, on every ISA.
void expect_agreement(const Layer& layer, std::size_t row_step) {
  SCOPED_TRACE(describe(layer));
  const std::vector<float> expected = reference::z_of(layer);
  for (const LowBitKernel* kernel : reference::kernels_for(layer)) {
    SCOPED_TRACE(kernel->info.name);
    LayerRunner runner(layer, *kernel);
    ASSERT_EQ(runner.z(row_step), expected);
    if (layer.combination == Combination::UniformBoth) {
      ASSERT_EQ(runner.integers(row_step), reference::integers_of(layer));
    }
  }
}

TEST(LowBitConv, EveryLengthOfALinearLayer) {
  std::uint64_t seed = 100;
  for (const std::size_t k : {1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 97, 127, 128, 129, 1009, 2048}) {
    for (const Encoding weights : kEncodings) {
      for (const Encoding activations : kEncodings) {
        for (const Combination combination : kCombinations) {
          SCOPED_TRACE("seed " + std::to_string(++seed));
          Random random(seed);
          Layer layer;
          layer.shape = {.batch = random.between(1, 9), .channels = k, .out_channels = random.between(1, 41)};
          layer.weight_encoding = weights;
          layer.activation_encoding = activations;
          layer.combination = combination;
          layer.weight_planes = random.between(1, 3);
          layer.activation_planes = random.between(1, 3);
          fill_layer(random, Fill::Random, Fill::Random, layer);
          add_offsets(random, layer);
          expect_agreement(layer, random.between(1, 5));
        }
      }
    }
  }
}

ConvShape random_conv_shape(Random& random) {
  ConvShape shape;
  const std::vector<std::size_t> kernels{1, 2, 3, 5};
  shape.batch = random.between(1, 2);
  shape.kernel_h = random.one_of(kernels);
  shape.kernel_w = random.one_of(kernels);
  shape.stride_h = random.between(1, 3);
  shape.stride_w = random.between(1, 3);
  shape.pad_h = random.between(0, 3);
  shape.pad_w = random.between(0, 3);
  shape.dilation_h = random.between(1, 2);
  shape.dilation_w = random.between(1, 2);
  const auto least = [](std::size_t kernel, std::size_t dilation, std::size_t pad) {
    const std::size_t span = dilation * (kernel - 1) + 1;
    return span > 2 * pad ? span - 2 * pad : 1;
  };
  shape.height = least(shape.kernel_h, shape.dilation_h, shape.pad_h) + random.between(0, 6);
  shape.width = least(shape.kernel_w, shape.dilation_w, shape.pad_w) + random.between(0, 8);
  const std::vector<std::size_t> channels{1, 3, 5, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65};
  shape.groups = random.one_of(std::vector<std::size_t>{1, 1, 1, 2, 3});
  shape.channels = shape.groups * random.one_of(channels);
  shape.out_channels =
      shape.groups * random.one_of(std::vector<std::size_t>{1, 2, 3, 4, 7, 8, 9, 16, 24, 31, 33});
  if (random.between(0, 5) == 0) {  // depthwise, with a multiplier
    shape.groups = shape.channels = random.between(2, 19);
    shape.out_channels = shape.channels * random.between(1, 2);
  }
  return shape;
}

TEST(LowBitConv, RandomConvolutions) {
  for (std::uint64_t seed = 1; seed <= 250; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    Layer layer;
    layer.shape = random_conv_shape(random);
    layer.weight_encoding = random.coin() ? Encoding::Unsigned : Encoding::Bipolar;
    layer.activation_encoding = random.coin() ? Encoding::Unsigned : Encoding::Bipolar;
    layer.combination = kCombinations[random.between(0, 3)];
    layer.weight_planes = random.between(1, 3);
    layer.activation_planes = random.between(1, 3);
    fill_layer(random, Fill::Random, Fill::Random, layer);
    if (random.coin()) add_offsets(random, layer);
    expect_agreement(layer, random.between(1, 7));
    expect_integer_ranks(layer, random.between(1, 7));
    expect_planes(layer, reference::z_of(layer), random.between(1, 7));
  }
}

TEST(LowBitConv, EveryNumberOfPlanes) {
  std::uint64_t seed = 5000;
  for (const std::size_t weight_planes : {1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16}) {
    for (std::size_t activation_planes = 1; activation_planes <= kMaxActivationPlanes; ++activation_planes) {
      SCOPED_TRACE("seed " + std::to_string(++seed));
      Random random(seed);
      Layer layer;
      layer.shape = {.height = 3,
                     .width = 4,
                     .channels = random.between(1, 20),
                     .out_channels = random.between(1, 10),
                     .kernel_h = 2,
                     .kernel_w = 3,
                     .pad_h = 1,
                     .pad_w = 1};
      layer.weight_encoding = random.coin() ? Encoding::Unsigned : Encoding::Bipolar;
      layer.activation_encoding = random.coin() ? Encoding::Unsigned : Encoding::Bipolar;
      layer.combination = kCombinations[seed % 4];
      layer.weight_planes = weight_planes;
      layer.activation_planes = activation_planes;
      fill_layer(random, Fill::Random, Fill::Random, layer);
      if (random.coin()) add_offsets(random, layer);
      expect_agreement(layer, 2);
    }
  }
}

/// One pixel: its planes are counted together.
TEST(LowBitConv, EveryNumberOfPlanesOfOnePixel) {
  std::uint64_t seed = 6000;
  for (const std::size_t weight_planes : {1, 2, 3, 4, 8, 16}) {
    for (std::size_t activation_planes = 1; activation_planes <= kMaxActivationPlanes; ++activation_planes) {
      for (const Combination combination : kCombinations) {
        SCOPED_TRACE("seed " + std::to_string(++seed));
        Random random(seed);
        Layer layer;
        layer.shape = {.channels = random.between(1, 200), .out_channels = random.between(1, 70)};
        layer.weight_encoding = random.coin() ? Encoding::Unsigned : Encoding::Bipolar;
        layer.activation_encoding = random.coin() ? Encoding::Unsigned : Encoding::Bipolar;
        layer.combination = combination;
        layer.weight_planes = weight_planes;
        layer.activation_planes = activation_planes;
        fill_layer(random, Fill::Random, Fill::Random, layer);
        if (random.coin()) add_offsets(random, layer);
        expect_agreement(layer, 1);
      }
    }
  }
}

/// Codebooks of up to 17 levels: one plane per level but one, at most one bit of a weight set, the levels in
/// the basis.
TEST(LowBitConv, OneHotWeights) {
  for (const std::size_t planes : {2, 3, 5, 8, 15, 16}) {
    for (const Combination combination : {Combination::LearnedWeights, Combination::LearnedBoth}) {
      SCOPED_TRACE("seed " + std::to_string(planes));
      Random random(planes);
      Layer layer;
      layer.shape = {.height = 5,
                     .width = 6,
                     .channels = random.between(1, 70),
                     .out_channels = random.between(1, 40),
                     .kernel_h = 3,
                     .kernel_w = 3,
                     .pad_h = 1,
                     .pad_w = 1};
      layer.combination = combination;
      layer.weight_planes = planes;
      layer.activation_planes = random.between(1, 4);
      fill_layer(random, Fill::Random, Fill::Random, layer);
      for (std::uint16_t& code : layer.weights) {
        const std::size_t level = random.between(0, planes);
        code = static_cast<std::uint16_t>(level == 0 ? 0U : 1U << (level - 1));
      }
      for (std::size_t o = 0; o < layer.shape.out_channels; ++o) layer.weight_offset.push_back(random.real());
      expect_agreement(layer, 2);
    }
  }
}

TEST(LowBitConv, ExtremeCodes) {
  std::uint64_t seed = 9000;
  for (const Fill weights : {Fill::Zeros, Fill::Ones}) {
    for (const Fill activations : {Fill::Zeros, Fill::Ones}) {
      for (const Encoding weight_encoding : kEncodings) {
        for (const Encoding activation_encoding : kEncodings) {
          for (const Combination combination : kCombinations) {
            SCOPED_TRACE("seed " + std::to_string(++seed));
            Random random(seed);
            Layer layer;
            // 33 words and more: byte counters that are not flushed in time overflow here.
            layer.shape = {.height = 4,
                           .width = 3,
                           .channels = 260,
                           .out_channels = 9,
                           .kernel_h = 3,
                           .kernel_w = 3,
                           .pad_h = 1,
                           .pad_w = 1};
            layer.weight_encoding = weight_encoding;
            layer.activation_encoding = activation_encoding;
            layer.combination = combination;
            layer.weight_planes = 2;
            layer.activation_planes = 2;
            fill_layer(random, weights, activations, layer);
            expect_agreement(layer, 4);
          }
        }
      }
    }
  }
}

TEST(LowBitConv, TilesOfEverySize) {
  for (const std::size_t out_channels :
       {1, 4, 7, 8, 9, 12, 16, 17, 24, 31, 32, 33, 40, 56, 63, 64, 65, 96, 127}) {
    for (const std::size_t pixels : {1, 2, 3, 4, 5, 6, 7, 9, 11, 47, 48, 49, 53}) {
      Random random(out_channels * 1000 + pixels);
      Layer layer;
      layer.shape = {.width = pixels, .channels = 70, .out_channels = out_channels};
      layer.weight_encoding = Encoding::Bipolar;
      layer.combination = Combination::LearnedBoth;
      layer.activation_planes = 2;
      fill_layer(random, Fill::Random, Fill::Random, layer);
      expect_agreement(layer, 1);
    }
  }
}

TEST(LowBitConv, SelectionByCostTakesTheBestLevelOfAFamily) {
  const std::int32_t one = 1;
  const BitConvSpec spec{.shape = {.height = 28,
                                   .width = 28,
                                   .channels = 128,
                                   .out_channels = 128,
                                   .kernel_h = 3,
                                   .kernel_w = 3,
                                   .pad_h = 1,
                                   .pad_w = 1},
                         .weights = {.planes = 1, .rows = 128, .k = 1152},
                         .weight_multiples = &one,
                         .activation_multiples = &one};
  for (const IsaInfo& info : runnable_isas(Family::BitSerial)) {
    const LowBitWishes wishes{.features = test_cpu().limited_to(info.isa), .family = Family::BitSerial};
    EXPECT_EQ(select_lowbit(wishes, spec).info.isa, info.isa);
    EXPECT_EQ(select_lowbit(wishes, spec).info.family, Family::BitSerial);
  }
}

}  // namespace
}  // namespace bitplane::kernels
