// SPDX-License-Identifier: Apache-2.0
//
// What is special in family `dot`; the tests of every low-bit kernel run its kernels as well.
#include "bitplane/kernels/dot.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "kernels/dot_support.h"
#include "kernels/reference/bit_conv_runner.h"
#include "kernels/reference/random.h"

namespace bitplane::kernels {
namespace {

using reference::Layer;
using reference::Random;

class DotTest : public DotKernelTest {};
INSTANTIATE_TEST_SUITE_P(Kernels, DotTest, testing::ValuesIn(dot_cases()), dot_case_name);

/// Everything about `layer` but its shape: codes, multiples.
void fill_uniform(Random& random, Layer& layer) {
  const ConvShape& shape = layer.shape;
  layer.weights.clear();
  layer.activations.clear();
  for (std::size_t i = 0; i < shape.out_channels * shape.filter_size(); ++i) {
    layer.weights.push_back(static_cast<std::uint16_t>(random.bits() & ((1U << layer.weight_planes) - 1U)));
  }
  for (std::size_t i = 0; i < shape.batch * shape.height * shape.width * shape.channels; ++i) {
    layer.activations.push_back(
        static_cast<std::uint8_t>(random.bits() & ((1U << layer.activation_planes) - 1U)));
  }
  layer.weight_multiples.clear();
  layer.activation_multiples.clear();
  for (std::size_t i = 0; i < layer.weight_planes; ++i) layer.weight_multiples.push_back(1 << i);
  for (std::size_t j = 0; j < layer.activation_planes; ++j) layer.activation_multiples.push_back(1 << j);
  if (layer.weight_encoding == Encoding::Unsigned && layer.weight_planes > 1)
    layer.weight_multiples.back() *= -1;
}

bool supported(const DotKernels& kernels, const Layer& layer) {
  const std::vector<std::uint64_t> words = reference::canonical_planes(layer);
  return dot_supports(kernels, reference::spec_of(layer, words));
}

/// A convolution that is ready to run, in buffers of minimal size.
class DotRun {
 public:
  DotRun(const DotKernels& kernels, const Layer& layer) : layer_(layer) {
    const std::vector<std::uint64_t> words = reference::canonical_planes(layer);
    conv_ = DotConv(kernels, reference::spec_of(layer, words));
    input_ = AlignedArray<std::byte>(layer.shape.batch * conv_.input_layout().picture_bytes());
    pack_codes(layer.activations, layer.shape.batch, conv_.input_layout(), input_.data());
    scratch_ = AlignedArray<std::byte>(conv_.scratch_bytes());
    std::memset(scratch_.data(), 0x5A, scratch_.size());
  }

  std::vector<std::int32_t> integers(std::size_t step) {
    const ConvShape& shape = layer_.shape;
    const std::size_t rows = shape.batch * shape.out_height(), row = shape.out_width() * shape.out_channels;
    std::vector<std::int32_t> out(rows * row, -12345);
    for (std::size_t r = 0; r < rows; r += step) {
      conv_.run_integer({input_.data(), conv_.input_layout()}, {r, std::min(rows, r + step)},
                        out.data() + r * row, scratch_.data());
    }
    return out;
  }
  void run(const Epilogue& epilogue) {
    conv_.run({input_.data(), conv_.input_layout()}, {0, layer_.shape.batch * layer_.shape.out_height()},
              select_epilogue(test_cpu()), epilogue, scratch_.data());
  }

 private:
  const Layer& layer_;
  DotConv conv_;
  AlignedArray<std::byte> input_, scratch_;
};

/// The codes with the least and the greatest value.
std::pair<unsigned, unsigned> extreme_codes(const std::vector<std::int32_t>& multiples) {
  unsigned least = 0, greatest = 0;
  for (std::size_t i = 0; i < multiples.size(); ++i) (multiples[i] < 0 ? least : greatest) |= 1U << i;
  return {least, greatest};
}

// Long sums of extreme products: a 16-bit lane that saturates or overflows gives another result.
TEST_P(DotTest, ExtremeCodesOfEveryPairOfWidthsAreExact) {
  for (std::size_t weight_planes = 1; weight_planes <= 8; ++weight_planes) {
    for (std::size_t activation_planes = 1; activation_planes <= 8; ++activation_planes) {
      for (const unsigned encodings : {0U, 1U, 2U, 3U}) {
        Random random(weight_planes * 100 + activation_planes * 10 + encodings);
        Layer layer;
        layer.shape = {.width = 3, .channels = 1400, .out_channels = 3};
        layer.weight_planes = weight_planes;
        layer.activation_planes = activation_planes;
        layer.weight_encoding = (encodings & 1U) != 0 ? Encoding::Bipolar : Encoding::Unsigned;
        layer.activation_encoding = (encodings & 2U) != 0 ? Encoding::Bipolar : Encoding::Unsigned;
        fill_uniform(random, layer);
        SCOPED_TRACE(std::to_string(weight_planes) + "/" + std::to_string(activation_planes) + " encodings " +
                     std::to_string(encodings));
        if (!supported(kernels(), layer)) {
          EXPECT_TRUE((weight_planes == 8 && layer.weight_encoding == Encoding::Bipolar) ||
                      (activation_planes == 8 && layer.activation_encoding == Encoding::Bipolar));
          continue;
        }
        const std::size_t k = layer.shape.channels;
        const auto [least_weight, greatest_weight] = extreme_codes(layer.weight_multiples);
        std::fill_n(layer.weights.begin(), k, static_cast<std::uint16_t>(least_weight));
        std::fill_n(layer.weights.begin() + static_cast<std::ptrdiff_t>(k), k,
                    static_cast<std::uint16_t>(greatest_weight));
        const auto [least, greatest] = extreme_codes(layer.activation_multiples);
        std::fill_n(layer.activations.begin(), k, static_cast<std::uint8_t>(greatest));
        std::fill_n(layer.activations.begin() + static_cast<std::ptrdiff_t>(k), k,
                    static_cast<std::uint8_t>(least));
        ASSERT_EQ(DotRun(kernels(), layer).integers(1), reference::integers_of(layer));
      }
    }
  }
}

// Pictures of several strips, whose common rows are carried over; strips of several pictures.
TEST_P(DotTest, StripsAgreeWithTheReference) {
  struct Case {
    ConvShape shape;
    std::size_t step;  ///< output rows at a time
  };
  const Case cases[] = {
      {{.height = 37,
        .width = 23,
        .channels = 4,
        .out_channels = 5,
        .kernel_h = 3,
        .kernel_w = 3,
        .pad_h = 1,
        .pad_w = 1},
       37},
      {{.height = 37,
        .width = 23,
        .channels = 3,
        .out_channels = 5,
        .kernel_h = 3,
        .kernel_w = 3,
        .pad_h = 1,
        .pad_w = 1},
       11},
      {{.batch = 2,
        .height = 41,
        .width = 39,
        .channels = 16,
        .out_channels = 3,
        .kernel_h = 3,
        .kernel_w = 3,
        .stride_h = 2,
        .stride_w = 2,
        .pad_h = 1,
        .pad_w = 1},
       100},
      {{.batch = 2,
        .height = 41,
        .width = 21,
        .channels = 3,
        .out_channels = 3,
        .kernel_h = 7,
        .kernel_w = 7,
        .stride_h = 1,
        .stride_w = 2,
        .pad_h = 3,
        .pad_w = 3},
       50},
      {{.height = 50,
        .width = 20,
        .channels = 5,
        .out_channels = 2,
        .kernel_h = 3,
        .kernel_w = 2,
        .dilation_h = 3,
        .dilation_w = 2},
       44},
      {{.height = 40,
        .width = 31,
        .channels = 6,
        .out_channels = 4,
        .kernel_h = 3,
        .kernel_w = 3,
        .stride_h = 3,
        .pad_h = 2,
        .pad_w = 1,
        .groups = 2},
       14},
      {{.height = 70, .width = 16, .channels = 8, .out_channels = 8, .stride_h = 2, .stride_w = 2}, 35},
      {{.batch = 29,
        .height = 3,
        .width = 4,
        .channels = 17,
        .out_channels = 18,
        .kernel_h = 3,
        .kernel_w = 3,
        .pad_h = 1,
        .pad_w = 1},
       87},
      {{.batch = 301, .channels = 33, .out_channels = 10}, 301},
      {{.height = 33,
        .width = 17,
        .channels = 12,
        .out_channels = 12,
        .kernel_h = 3,
        .kernel_w = 3,
        .pad_h = 1,
        .pad_w = 1,
        .groups = 12},
       33},
      // Kernel rows of a chunk and more: those outside the picture are left out.
      {{.batch = 2,
        .height = 7,
        .width = 7,
        .channels = 200,
        .out_channels = 19,
        .kernel_h = 3,
        .kernel_w = 3,
        .pad_h = 1,
        .pad_w = 1},
       14},
      {{.height = 5,
        .width = 9,
        .channels = 200,
        .out_channels = 3,
        .kernel_h = 3,
        .kernel_w = 2,
        .stride_h = 2,
        .pad_h = 4,
        .pad_w = 1,
        .dilation_h = 3},
       3},
      {{.height = 3, .width = 2, .channels = 200, .out_channels = 3, .kernel_h = 2, .pad_h = 3}, 8},
      {{.height = 15,
        .width = 15,
        .channels = 70,
        .out_channels = 4,
        .kernel_h = 3,
        .kernel_w = 3,
        .stride_h = 2,
        .stride_w = 2,
        .pad_h = 1,
        .pad_w = 1},
       8},
      {{.height = 9,
        .width = 30,
        .channels = 24,
        .out_channels = 33,
        .kernel_h = 3,
        .kernel_w = 3,
        .pad_h = 1,
        .pad_w = 1},
       9},
      {{.height = 1, .width = 1, .channels = 1, .out_channels = 1}, 1},
  };
  std::uint64_t seed = 700;
  for (const Case& test : cases) {
    for (const Encoding encoding : {Encoding::Unsigned, Encoding::Bipolar}) {
      SCOPED_TRACE("seed " + std::to_string(++seed));
      Random random(seed);
      Layer layer;
      layer.shape = test.shape;
      layer.weight_encoding = random.coin() ? Encoding::Unsigned : Encoding::Bipolar;
      layer.activation_encoding = encoding;
      layer.weight_planes = random.between(1, 3);
      layer.activation_planes = random.between(1, 2);
      fill_uniform(random, layer);
      ASSERT_EQ(DotRun(kernels(), layer).integers(test.step), reference::integers_of(layer));
    }
  }
}

// Channels and pixels around the sizes of tiles; K around steps and segments.
TEST_P(DotTest, TilesAndTailsOfEverySize) {
  std::uint64_t seed = 900;
  for (const std::size_t out_channels : {1, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 129}) {
    for (const std::size_t pixels : {1, 2, 5, 6, 11, 12, 13, 16, 17, 31, 32, 33, 49}) {
      SCOPED_TRACE("seed " + std::to_string(++seed));
      Random random(seed);
      Layer layer;
      layer.shape = {.height = pixels, .channels = random.between(1, 200), .out_channels = out_channels};
      layer.weight_planes = random.between(1, 5);
      layer.activation_planes = random.between(1, 4);
      fill_uniform(random, layer);
      ASSERT_EQ(DotRun(kernels(), layer).integers(pixels), reference::integers_of(layer));
    }
  }
}

TEST_P(DotTest, IntegerThresholdsSeeTheIntegers) {
  Random random(77);
  Layer layer;
  layer.shape = {.height = 9,
                 .width = 7,
                 .channels = 20,
                 .out_channels = 13,
                 .kernel_h = 3,
                 .kernel_w = 3,
                 .pad_h = 1,
                 .pad_w = 1};
  layer.weight_planes = 2;
  layer.activation_planes = 2;
  fill_uniform(random, layer);
  std::vector<std::int32_t> thresholds, flip;
  for (const std::int32_t threshold : {-20, 0, 7}) thresholds.insert(thresholds.end(), 13, threshold);
  for (std::size_t c = 0; c < 13; ++c) flip.push_back(c % 3 == 0 ? -1 : 0);
  const std::vector<std::uint8_t> code_of_rank{0, 1, 2, 3};
  const std::vector<std::int32_t> integers = reference::integers_of(layer);
  std::vector<std::uint8_t> ranks(integers.size(), 99), expected;
  for (std::size_t i = 0; i < integers.size(); ++i) {
    const std::int32_t a = integers[i] ^ flip[i % 13];
    expected.push_back(static_cast<std::uint8_t>((a > -20) + (a > 0) + (a > 7)));
  }
  DotRun(kernels(), layer)
      .run({.kind = EpilogueKind::Ranks,
            .ranks = {.count = 3, .code_of_rank = code_of_rank.data()},
            .integer = {thresholds.data(), flip.data()},
            .out_ranks = ranks.data()});
  EXPECT_EQ(ranks, expected);
}

TEST_P(DotTest, SupportsRefusesWhatItCannotDoExactly) {
  const std::int32_t multiples[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512};
  const float offset[] = {0.5F};
  const BitConvSpec plain{.shape = {.channels = 8, .out_channels = 1},
                          .weights = {nullptr, 2, 1, 8},
                          .activation_planes = 2,
                          .weight_multiples = multiples,
                          .activation_multiples = multiples};
  EXPECT_TRUE(dot_supports(kernels(), plain));
  const auto refuses = [&](auto change) {
    BitConvSpec spec = plain;
    change(spec);
    return !dot_supports(kernels(), spec);
  };
  for (const Combination combination :
       {Combination::LearnedWeights, Combination::LearnedActivations, Combination::LearnedBoth}) {
    EXPECT_TRUE(refuses([&](BitConvSpec& spec) { spec.combination = combination; }));
  }
  EXPECT_TRUE(refuses([&](BitConvSpec& spec) { spec.weight_offset = offset; }));
  EXPECT_TRUE(refuses([&](BitConvSpec& spec) { spec.activation_offset = 1.0F; }));
  const bool words = GetParam().info.isa == Isa::Avx2;                              // has 16-bit elements
  EXPECT_EQ(refuses([&](BitConvSpec& spec) { spec.weights.planes = 8; }), !words);  // 0..255
  EXPECT_EQ(refuses([&](BitConvSpec& spec) {
              spec.weights.planes = 8;
              spec.weight_encoding = Encoding::Bipolar;
            }),
            !words);
  EXPECT_EQ(refuses([&](BitConvSpec& spec) {
              spec.activation_planes = 8;
              spec.activation_encoding = Encoding::Bipolar;
            }),
            !words);
  EXPECT_FALSE(refuses([&](BitConvSpec& spec) { spec.weights.planes = 7; }));
  EXPECT_FALSE(refuses([&](BitConvSpec& spec) { spec.activation_planes = 8; }));
  EXPECT_FALSE(refuses([&](BitConvSpec& spec) {
    spec.activation_planes = 7;
    spec.activation_encoding = Encoding::Bipolar;
  }));
}

TEST(Dot, SelectionFollowsTheFeatures) {
  for (const IsaInfo& isa : runnable_isas(Family::Dot)) {
    const DotKernels& kernels = select_dot(test_cpu().limited_to(isa.isa));
    EXPECT_NE(kernel_name(kernels).find(isa.name), std::string_view::npos);
    EXPECT_EQ(kernel_isa(kernels), isa.isa);
  }
}

/// Null where the level was not built.
const LowBitKernel* kernel_of_level(Isa isa) {
  for (const LowBitKernel* kernel : lowbit_kernels())
    if (kernel->info.family == Family::Dot && kernel->info.isa == isa) return kernel;
  return nullptr;
}

TEST(DotCost, TheSameInstructionOnTwiceTheLanesIsCheaper) {
  const LowBitKernel* narrow = kernel_of_level(Isa::AvxVnni);
  const LowBitKernel* wide = kernel_of_level(Isa::Avx512);
  if (narrow == nullptr || wide == nullptr) GTEST_SKIP() << "avxvnni or avx512 was not built";
  const std::int32_t multiples[] = {1, 2, 4, 8};
  for (const std::size_t planes : {1U, 2U, 3U, 4U}) {
    for (const std::size_t channels : {64U, 1024U}) {
      const BitConvSpec spec{
          .shape = {.height = 32, .width = 32, .channels = channels, .out_channels = channels},
          .weights = {.planes = planes, .rows = channels, .k = channels},
          .activation_planes = planes,
          .weight_multiples = multiples,
          .activation_multiples = multiples};
      EXPECT_LT(wide->cost(spec), narrow->cost(spec)) << planes << " bits, " << channels << " channels";
    }
  }
}

}  // namespace
}  // namespace bitplane::kernels
