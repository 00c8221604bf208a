// SPDX-License-Identifier: Apache-2.0
//
// Folding of BN into thresholds, against golden vectors made by an oracle of its own.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "golden/golden_json.h"
#include "lowering/fold.h"
#include "lowering/integer_thresholds.h"
#include "lowering/stages.h"

namespace bitplane::engine {
namespace {

using golden::array;
using nlohmann::json;

/// One case with its scale made positive: -S times A is S times -A.
struct Folded {
  std::size_t channels = 0;
  std::vector<std::int32_t> sign;  ///< of the file's scale
  Affine affine;
  std::vector<float> thresholds;  ///< behind the ReLU
};

Folded fold_case(const json& c) {
  Folded folded;
  ConvolutionTail tail;
  tail.scale = array<double>(c.at("scale"));
  folded.channels = tail.scale.size();
  const std::vector<float> bias = array<float>(c.at("bias"));
  const std::vector<float> offset = array<float>(c.at("offset"));
  for (std::size_t i = 0; i < folded.channels; ++i) {
    folded.sign.push_back(tail.scale[i] < 0.0 ? -1 : 1);
    tail.scale[i] = std::abs(tail.scale[i]);
    tail.bias.push_back(bias[i] + offset[i]);
  }
  BatchNorm bn;
  bn.mean = array<float>(c.at("mean"));
  bn.var = array<float>(c.at("var"));
  bn.gamma = array<float>(c.at("gamma"));
  bn.beta = array<float>(c.at("beta"));
  bn.epsilon = c.at("bn_epsilon").get<float>();
  folded.affine = fold(tail, bn);

  Stages stages{.affine = folded.affine, .relu = true, .quantize = {}};
  QuantizeStage quantize;
  for (const double t : array<double>(c.at("quantizer").at("thresholds"))) {
    const auto stored = static_cast<float>(t);
    const bool strict = c.at("quantizer").at("comparison") == ">";
    quantize.thresholds.push_back(strict ? stored
                                         : std::nextafter(stored, -std::numeric_limits<float>::infinity()));
  }
  append(stages, {.affine = {}, .relu = false, .quantize = quantize});
  folded.thresholds = stages.quantize->thresholds;
  return folded;
}

std::size_t rank_of(const Folded& folded, std::size_t channel, std::int32_t a) {
  const float t = std::fma(static_cast<float>(a), folded.affine.scale[channel], folded.affine.shift[channel]);
  return static_cast<std::size_t>(
      std::count_if(folded.thresholds.begin(), folded.thresholds.end(), [&](float l) { return t > l; }));
}

std::string kind_name(ChannelTest test) {
  return test == ChannelTest::AtLeast ? "ge" : test == ChannelTest::AtMost ? "le" : "const";
}

TEST(FoldGolden, IntegerThresholdsKindsAndRanks) {
  const std::vector<json> all = golden::cases("fold", "fold");
  ASSERT_GE(all.size(), 10U);
  for (const json& c : all) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const Folded folded = fold_case(c);
    const auto kinds = c.at("channel_kind").get<std::vector<std::string>>();
    const std::vector<std::int64_t> thetas = array<std::int64_t>(c.at("integer_thresholds"));
    const std::vector<std::int64_t> constants = array<std::int64_t>(c.at("constant_rank"));
    const std::vector<std::int32_t> accumulators = array<std::int32_t>(c.at("accumulators"));
    const std::vector<std::size_t> ranks = array<std::size_t>(c.at("ranks"));
    const std::size_t levels = folded.thresholds.size();
    for (std::size_t ch = 0; ch < folded.channels; ++ch) {
      SCOPED_TRACE("channel " + std::to_string(ch));
      ASSERT_EQ(folded.sign[ch], 1);
      const ChannelThresholds channel =
          integer_thresholds(folded.affine.scale[ch], folded.affine.shift[ch], folded.thresholds);
      EXPECT_EQ(kind_name(channel.test), kinds[ch]);
      if (channel.test == ChannelTest::Constant) {
        EXPECT_EQ(static_cast<std::int64_t>(channel.constant_rank), constants[ch]);
      } else {
        for (std::size_t l = 0; l < levels; ++l)
          EXPECT_EQ(channel.thresholds[l], thetas[ch * levels + l]) << l;
      }
      for (std::size_t i = ch; i < accumulators.size(); i += folded.channels) {
        EXPECT_EQ(channel.rank(accumulators[i]), ranks[i]) << "A = " << accumulators[i];
        EXPECT_EQ(rank_of(folded, ch, accumulators[i]), ranks[i]) << "A = " << accumulators[i];
      }
    }
  }
}

TEST(FoldGolden, PoolingOnRanksIsPoolingOnAccumulators) {
  const std::vector<json> all = golden::cases("fold", "maxpool");
  ASSERT_GE(all.size(), 2U);
  for (const json& c : all) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const Folded folded = fold_case(c);
    const auto in = c.at("accumulators").at("shape").get<std::vector<std::size_t>>();
    const auto out = c.at("ranks").at("shape").get<std::vector<std::size_t>>();
    const std::vector<std::int32_t> accumulators = array<std::int32_t>(c.at("accumulators"));
    const std::vector<std::size_t> ranks = array<std::size_t>(c.at("ranks"));
    for (std::size_t i = 0; i < ranks.size(); ++i) {
      const std::size_t ch = i % out[3], x = i / out[3] % out[2], y = i / out[3] / out[2];
      std::int32_t largest = std::numeric_limits<std::int32_t>::min();
      std::vector<std::size_t> window;
      for (std::size_t tap = 0; tap < 4; ++tap) {
        const std::size_t pixel = (2 * y + tap / 2) * in[2] + 2 * x + tap % 2;
        const std::int32_t a = folded.sign[ch] * accumulators[pixel * in[3] + ch];
        largest = std::max(largest, a);
        window.push_back(rank_of(folded, ch, a));
      }
      const bool falling = folded.affine.scale[ch] < 0.0F;
      EXPECT_EQ(rank_of(folded, ch, largest), ranks[i]);
      EXPECT_EQ(falling ? *std::min_element(window.begin(), window.end())
                        : *std::max_element(window.begin(), window.end()),
                ranks[i]);
    }
  }
}

/// The order of the double operations is part of the contract. It shows only where h cancels: beta is chosen
/// so.
TEST(Fold, FollowsTheNormativeOrderOfOperations) {
  std::mt19937 random(11);
  const auto draw = [&] { return std::uniform_real_distribution<float>(0.5F, 1.5F)(random); };
  constexpr std::size_t kChannels = 5000;
  ConvolutionTail tail = plain_tail(kChannels);
  BatchNorm bn;
  tail.bias.resize(kChannels);
  std::vector<float> g, h;
  for (std::size_t c = 0; c < kChannels; ++c) {
    tail.scale[c] = static_cast<double>(draw()) * static_cast<double>(draw());
    tail.bias[c] = draw();
    bn.mean.push_back(100.0F * draw());
    bn.var.push_back(draw());
    bn.gamma.push_back(draw());
    const double r = static_cast<double>(bn.gamma[c]) /
                     std::sqrt(static_cast<double>(bn.var[c]) + static_cast<double>(bn.epsilon));
    const double centred = static_cast<double>(tail.bias[c]) - static_cast<double>(bn.mean[c]);
    bn.beta.push_back(static_cast<float>(-centred * r));
    g.push_back(static_cast<float>(r * tail.scale[c]));
    h.push_back(static_cast<float>(static_cast<double>(bn.beta[c]) + centred * r));
  }
  const Affine affine = fold(tail, bn);
  EXPECT_EQ(affine.scale, g);
  EXPECT_EQ(affine.shift, h);
}

/// Around each threshold the integer test and the float predicate agree, whatever the parameters.
TEST(IntegerThresholds, AgreeWithThePredicate) {
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> thresholds{-infinity, -1.5F, 0.0F, 0.25F, 0.25F, 3.0F, 1e30F};
  for (const float g : {1.0F, -1.0F, 0.3F, -0.017F, 1e-9F, -1e-9F, 1e-38F, 1e20F, 0.0F, -0.0F}) {
    for (const float h : {0.0F, 0.25F, -7.0F, 1e6F, -1e6F}) {
      SCOPED_TRACE("g " + std::to_string(g) + ", h " + std::to_string(h));
      const ChannelThresholds channel = integer_thresholds(g, h, thresholds);
      const Folded folded{1, {1}, {{g}, {h}}, thresholds};
      std::vector<std::int64_t> probes{0, 1, -1, 1 << 30, -(1 << 30)};
      for (const std::int32_t theta : channel.thresholds) {
        for (std::int64_t d = -2; d <= 2; ++d) probes.push_back(theta + d);
      }
      for (const std::int64_t a : probes) {
        if (std::abs(a) > (1 << 30)) continue;  // accumulators stay inside
        EXPECT_EQ(channel.rank(static_cast<std::int32_t>(a)),
                  rank_of(folded, 0, static_cast<std::int32_t>(a)))
            << a;
      }
    }
  }
}

}  // namespace
}  // namespace bitplane::engine
