// SPDX-License-Identifier: Apache-2.0
//
// Properties of LQ-Nets' quantizers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "golden_support.h"
#include "trainer/nets/parts.h"
#include "trainer/nn/layers.h"
#include "trainer/ops/quantize.h"
#include "trainer/quantizers/list.h"
#include "trainer/quantizers/lq_activations.h"
#include "trainer/quantizers/lq_basis.h"
#include "trainer/quantizers/lq_weights.h"
#include "trainer_support.h"

namespace bitplane::train::testing {
namespace {

class LqNetsTest : public ::testing::Test {
 protected:
  Backend backend_{{.threads = 2}};
  Context ctx_{backend_};
};

double squared_error(const ThresholdTable& table, const Tensor& x) {
  double error = 0;
  for (const float v : x.values()) {
    error += std::pow(static_cast<double>(v - table.levels[rank_of(table.thresholds, v)]), 2);
  }
  return error;
}

TEST_F(LqNetsTest, AlternationsNeverIncreaseTheError) {
  for (std::size_t bits = 1; bits <= 4; ++bits) {
    for (const auto encoding : {kernels::Encoding::Unsigned, kernels::Encoding::Bipolar}) {
      for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        SCOPED_TRACE("bits " + std::to_string(bits) + ", seed " + std::to_string(seed));
        const Tensor x = random_tensor({400}, seed);
        Random random(seed, 99);
        std::vector<double> v;
        for (std::size_t j = 0; j < bits; ++j) v.push_back(random.normal());
        double last = std::numeric_limits<double>::infinity();
        for (int step = 0; step < 8; ++step) {
          const ThresholdTable table = lq_table(encoding, std::vector<float>(v.begin(), v.end()));
          const double error = squared_error(table, x);
          EXPECT_LE(error, last * (1.0 + 1e-5));
          last = error;
          RankStatistics s{std::vector<std::uint64_t>(table.levels.size()),
                           std::vector<double>(table.levels.size())};
          for (const float value : x.values()) {
            const std::size_t rank = rank_of(table.thresholds, value);
            ++s.count[rank];
            s.sum[rank] += static_cast<double>(value);
          }
          v = lq_solve(encoding, table, s, v);
        }
      }
    }
  }
}

TEST_F(LqNetsTest, BasesStartAtTheThirdQuartile) {
  LqActivations activations({.bits = 2});
  expect_close<float>(state_of(activations, "basis").values(), {0.449667, 0.899333}, 1e-6, "of activations");
  // Weights have the deviation sqrt(2 / fan-out), here of 9 * 16.
  const double top = 0.6745 * std::sqrt(2.0 / 144.0) / 2.0;
  LqWeights weights({.bits = 2, .out_channels = 16, .filter_size = 72, .kernel_area = 9});
  std::vector<double> expected;
  for (int filter = 0; filter < 16; ++filter) expected.insert(expected.end(), {top, 2.0 * top});
  expect_close<float>(state_of(weights, "basis").values(), expected, 1e-8, "of weights");
}

/// A net hands the area of its kernels to the quantizer: 3 x 3 and 16 outputs give the start above.
TEST_F(LqNetsTest, BasesOfANetStartByItsFanOut) {
  const QuantizationPlan plan{
      .weights =
          [](const WeightQuantizerOptions& layer) { return find_quantizer("lq-nets")->make_weights(layer); },
      .activations = {}};
  const NetOptions options{.input = {8, 8, 8}, .plan = plan};
  Sequential net;
  NetParts(options).conv(net, "conv", {.in_channels = 8, .out_channels = 16, .kernel = 3}, Place::Inner);
  const auto buffers = named_buffers(net);
  ASSERT_EQ(buffers.size(), 1U);
  ASSERT_EQ(buffers[0].name, "conv.quantizer.basis");
  EXPECT_NEAR(buffers[0].buffer->data()[0], 0.6745 * std::sqrt(2.0 / 144.0) / 2.0, 1e-8);
}

TEST_F(LqNetsTest, RankCountsTheThresholdsBelow) {
  const std::vector<float> few{-1.0F, 0.0F, 0.0F, 2.0F};
  std::vector<float> many;
  for (int i = 0; i < 31; ++i) many.push_back(static_cast<float>(i / 3));
  for (const auto& thresholds : {few, many}) {
    for (const float x : {-2.0F, -1.0F, 0.0F, 0.5F, 2.0F, 3.0F, 3.5F, 100.0F}) {
      const auto expected =
          std::count_if(thresholds.begin(), thresholds.end(), [&](float t) { return x > t; });
      EXPECT_EQ(rank_of(thresholds, x), static_cast<std::size_t>(expected)) << x;
    }
  }
}

TEST_F(LqNetsTest, SingularOrInfiniteKeepsTheOldBasis) {
  const std::vector<float> v{0.5F, 1.0F};
  const std::vector<double> old{0.5, 1.0};
  const ThresholdTable table = lq_table(kernels::Encoding::Unsigned, v);
  const RankStatistics none{std::vector<std::uint64_t>(4), std::vector<double>(4)};
  const std::vector<double> same = lq_solve(kernels::Encoding::Unsigned, table, none, old);
  EXPECT_NEAR(same[0], 0.5, 1e-15);
  EXPECT_NEAR(same[1], 1.0, 1e-15);
  RankStatistics infinite = none;
  infinite.count[3] = 1;
  infinite.sum[3] = std::numeric_limits<double>::infinity();
  EXPECT_EQ(lq_solve(kernels::Encoding::Unsigned, table, infinite, old), old);
  // Rank one with counts so large that delta falls below 1e-15 of the trace.
  RankStatistics huge = none;
  huge.count[3] = 1'000'000'000'000'000;
  huge.sum[3] = 1e15;
  EXPECT_EQ(lq_solve(kernels::Encoding::Unsigned, table, huge, old), old);
}

/// The slope is 1 from the lowest level to the highest one, both included, and 0 elsewhere. The lowest level
/// is 0, or below where an element of the basis is negative.
TEST_F(LqNetsTest, ActivationsPassGradientsBetweenTheirEndLevels) {
  const auto slopes = [&](const std::vector<float>& basis, const std::vector<float>& at) {
    LqActivations quantizer({.bits = basis.size()});
    state_of(quantizer, "basis").copy_from(Tensor::from({basis.size()}, basis));
    const Variable x(Tensor::from({1, at.size()}, at), Gradient::Required);
    backward(ctx_, quantize(ctx_, x, quantizer), Tensor::filled({1, at.size()}, 1.0F));
    return std::vector<float>(x.grad().values().begin(), x.grad().values().end());
  };
  using Slopes = std::vector<float>;
  EXPECT_EQ(slopes({0.5F, 1.0F}, {-2.0F, -1e-30F, -0.0F, 0.0F, 0.7F, 1.5F, std::nextafter(1.5F, 2.0F)}),
            (Slopes{0, 0, 1, 1, 1, 1, 0}));
  EXPECT_EQ(slopes({-0.5F, 1.0F}, {-0.7F, std::nextafter(-0.5F, -1.0F), -0.5F, -0.1F, 0.0F, 1.0F, 1.1F}),
            (Slopes{0, 0, 1, 1, 1, 1, 0}));
}

/// Behind a ReLU the slope below 0 is the ReLU's, wherever the lowest level is.
TEST_F(LqNetsTest, ActivationsBehindABatchNormHaveTheSameGradientsFused) {
  for (const float first : {0.5F, -0.5F}) {
    SCOPED_TRACE(first);
    const auto gradients = [&](Fusion fusion) {
      Sequential net;
      net.emplace<BatchNorm>("bn", BatchNormModuleOptions{.channels = 3});
      net.emplace<Relu>("relu");
      net.emplace<Quantize>("quantize",
                            std::make_unique<LqActivations>(ActivationQuantizerOptions{.bits = 2}));
      named_buffers(net).back().buffer->copy_from(Tensor::from({2}, std::vector<float>{first, 1.0F}));
      Context ctx = ctx_;
      ctx.fusion = fusion;
      const Variable x(random_tensor({40, 3}, 1), Gradient::Required);
      backward(ctx, net.forward(ctx, x), random_tensor({40, 3}, 2));
      return bits_of(x.grad());
    };
    EXPECT_EQ(gradients(Fusion::On), gradients(Fusion::Off));
  }
}

TEST_F(LqNetsTest, ActivationsGoOnWithinTheirPassInterval) {
  LqActivations quantizer({.bits = 2});
  const float top = quantizer.table().levels.back();
  const std::vector<double> x{static_cast<double>(top) + 1.0, 0.3, -1.0};
  const auto bottom = static_cast<double>(std::nextafter(0.0F, -1.0F));
  EXPECT_EQ(quantizer.surrogate({.at = Tensor(), .x = x}),
            (std::vector<double>{static_cast<double>(top), 0.3, bottom}));
}

}  // namespace
}  // namespace bitplane::train::testing
