// SPDX-License-Identifier: Apache-2.0
//
// The rules of SLQ, ESLQ and MLQ: k-means, the order of clusters, the types of centres.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "golden_support.h"
#include "incremental_support.h"
#include "trainer/quantizers/clustering/k_means.h"
#include "trainer/quantizers/clustering/mlq.h"
#include "trainer/quantizers/clustering/slq.h"
#include "trainer_support.h"

namespace bitplane::train::testing {
namespace {

class ClusteringTest : public ::testing::Test {
 protected:
  void advance(IncrementalWeights& quantizer, Tensor& weights) {
    quantizer.choose(backend_, weights, no_loss);
    quantizer.freeze(backend_, weights);
  }
  Backend backend_{{.threads = 2}};
};

double squared_distance(std::span<const float> weights, std::span<const float> centres) {
  double sum = 0;
  for (const float w : weights) {
    double least = std::numeric_limits<double>::infinity();
    for (const float c : centres) least = std::min(least, std::pow(static_cast<double>(w - c), 2));
    sum += least;
  }
  return sum;
}

TEST_F(ClusteringTest, KMeansNeverGetsWorse) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Tensor weights = random_tensor({3000}, seed);
    std::vector<float> centres =
        start_centres(ClusterStart::NonLinear, 9, largest_magnitude(weights.values()));
    double last = squared_distance(weights.values(), centres);
    lloyd(backend_, weights.values(), centres, [&](const ClusterSums& sums) {
      for (std::size_t j = 1; j < centres.size(); ++j)
        move_to_mean(sums, j, std::vector<float>(9, 0.0F), centres);
      const double now = squared_distance(weights.values(), centres);
      EXPECT_LE(now, last * (1.0 + 1e-6));
      last = now;
    });
    EXPECT_EQ(centres[0], 0.0F);
  }
}

TEST_F(ClusteringTest, SlqWorkedExamples) {
  const std::vector<float> w{.9F, -.62F, .33F, -.31F, .28F, .12F, -.14F, .05F, -.03F, .01F, -.47F, .55F};
  struct Example {
    std::size_t bits;
    std::vector<double> centres;
    std::vector<std::uint8_t> clusters;
  };
  const Example examples[] = {
      {3, {0, .725, -.545, .305, -.225}, {1, 2, 3, 4, 3, 0, 4, 0, 0, 0, 2, 1}},
      {4, {0, .725, -.545, .305, -.31, .12, -.14, .05, -.0625}, {1, 2, 3, 4, 3, 5, 6, 7, 0, 0, 2, 1}}};
  for (const Example& e : examples) {
    SCOPED_TRACE(e.bits);
    std::vector<float> centres =
        start_centres(ClusterStart::NonLinear, slq_levels(e.bits), largest_magnitude(w));
    std::vector<float> pinned(centres.size(), 0.0F);
    pinned[0] = 1.0F;
    k_means(backend_, w, centres, pinned);
    expect_close(std::span<const float>(centres), e.centres, 1e-6, "centres");
    EXPECT_EQ(assign_clusters(backend_, w, centres), e.clusters);
  }
}

TEST_F(ClusteringTest, SlqFreezesTheSharesThatGaussianWeightsHave) {
  struct Case {
    float largest;  ///< the first centres are the power of two below it
    std::vector<double> shares;
  };
  for (const Case& c :
       {Case{3.9F, {0.28, 0.60, 0.82, 0.91, 1.0}}, Case{4.1F, {0.17, 0.48, 0.75, 0.87, 1.0}}}) {
    SCOPED_TRACE(c.largest);
    Tensor weights = random_tensor({100, 100}, 31);
    for (float& w : weights.mutable_values()) w = std::clamp(w, -c.largest, c.largest);
    weights.mutable_data()[0] = c.largest;
    const auto owner = make_quantizer("slq", 5, weights);
    IncrementalWeights& quantizer = incremental(*owner);
    for (const double share : c.shares) {
      advance(quantizer, weights);
      EXPECT_NEAR(static_cast<double>(count_frozen(quantizer)) / 1e4, share, 0.03);
    }
  }
}

TEST_F(ClusteringTest, SlqByLossTakesTheClustersThatCostMost) {
  Tensor weights = random_tensor({10, 40}, 32);
  const Tensor float_weights = weights.clone();
  const auto owner = make_quantizer("slq", 3, weights, {{"order", "loss"}});
  auto& quantizer = dynamic_cast<SlqWeights&>(*owner);
  // A loss that only minds negative weights: clusters 2 and 4 cost something, the others nothing.
  std::size_t asked = 0;
  const auto loss = [&] {
    ++asked;
    double sum = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (float_weights.data()[i] < -0.6F)
        sum += std::fabs(static_cast<double>(weights.data()[i] - float_weights.data()[i]));
    }
    return sum;
  };
  quantizer.choose(backend_, weights, loss);
  EXPECT_EQ(asked, 5U);
  EXPECT_EQ(bits_of(weights), bits_of(float_weights)) << "choosing moves nothing";
  EXPECT_EQ(std::vector<float>(quantizer.quantized().begin(), quantizer.quantized().end()),
            (std::vector<float>{0, 0, 1, 0, 1}));
  quantizer.freeze(backend_, weights);
  quantizer.choose(backend_, weights, loss);
  EXPECT_EQ(asked, 8U) << "only clusters that wait are asked for";
  quantizer.freeze(backend_, weights);
  quantizer.choose(backend_, weights, loss);
  EXPECT_EQ(asked, 8U) << "the last part has no choice";
}

TEST_F(ClusteringTest, EslqCentresAreOfTheirType) {
  for (const char* type : {"power-of-two", "two-digit"}) {
    for (const double beta : {0.0, 1e-3}) {
      SCOPED_TRACE(std::string(type) + ", beta " + std::to_string(beta));
      Tensor weights = random_tensor({20, 30}, 33);
      const auto owner = make_quantizer("eslq", 4, weights, {{"type", type}, {"beta", beta}});
      quantize_all_parts(backend_, *owner, weights);
      for (const float level : incremental(*owner).levels()) {
        const auto c = static_cast<double>(level);
        const double nearest =
            std::string(type) == "two-digit" ? two_digits(c) : nearest_power_of_two(c, -10, 10);
        EXPECT_EQ(level, static_cast<float>(nearest));
      }
    }
  }
}

TEST_F(ClusteringTest, EslqPowersAreAsManyAsTheCodebookHasMagnitudes) {
  const std::vector<std::function<float(float)>> shapes{
      [](float w) { return w; }, [](float w) { return w * w * w; },  // centres far below the largest power
      [](float w) { return std::copysign(3.9F, w) + 0.01F * w; },    // and nearer to the next one above it
  };
  for (std::size_t shape = 0; shape < shapes.size(); ++shape) {
    for (const std::size_t bits : {3, 4, 5}) {
      for (const double beta : {0.0, 1e-3, 0.1, 10.0}) {
        SCOPED_TRACE("shape " + std::to_string(shape) + ", bits " + std::to_string(bits) + ", beta " +
                     std::to_string(beta));
        Tensor weights = random_tensor({20, 30}, 33);
        for (float& w : weights.mutable_values()) w = shapes[shape](w);
        const double largest = std::exp2(std::floor(std::log2(largest_magnitude(weights.values()))));
        const double smallest = std::ldexp(largest, 1 - (1 << (bits - 2)));
        const auto owner = make_quantizer("eslq", bits, weights, {{"beta", beta}});
        quantize_all_parts(backend_, *owner, weights);
        for (const float w : weights.values()) {
          const auto magnitude = std::fabs(static_cast<double>(w));
          EXPECT_TRUE(w == 0.0F || (magnitude >= smallest && magnitude <= largest)) << w;
        }
        for (const float level : incremental(*owner).levels()) {
          const auto magnitude = std::fabs(static_cast<double>(level));
          EXPECT_TRUE(level == 0.0F || (magnitude >= smallest && magnitude <= largest)) << level;
        }
      }
    }
  }
}

TEST_F(ClusteringTest, MlqDifferencesOfCentresAreExact) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Tensor weights = random_tensor({7, 11}, seed);
    for (float& w : weights.mutable_values()) w = 0.03F * w + 0.01F;
    const auto owner = make_quantizer("mlq", 2, weights);
    quantize_all_parts(backend_, *owner, weights);
    const auto levels = incremental(*owner).levels();
    for (const float boundary : {levels[0], levels[2]}) {
      const float difference = boundary - levels[1];
      EXPECT_EQ(static_cast<double>(difference),
                static_cast<double>(boundary) - static_cast<double>(levels[1]));
      EXPECT_EQ(levels[1] + difference, boundary);
    }
    EXPECT_LT(levels[0], levels[1]);
    EXPECT_LT(levels[1], levels[2]);
  }
}

TEST_F(ClusteringTest, MlqWeightsThatMovedIntoABoundarysCellJoinIt) {
  Tensor weights = random_tensor({20, 30}, 34);
  // Three clusters far from one another.
  for (std::size_t i = 0; i < weights.size(); ++i)
    weights.mutable_data()[i] = 0.03F * weights.data()[i] + static_cast<float>(i % 3) - 1.0F;
  const auto owner = make_quantizer("mlq", 2, weights);
  IncrementalWeights& quantizer = incremental(*owner);
  advance(quantizer, weights);
  const float a = quantizer.levels()[0], c = quantizer.levels()[2];
  const Tensor frozen = quantizer.frozen();
  std::vector<std::size_t> hearts;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (frozen.data()[i] == 0.0F) hearts.push_back(i);
  }
  ASSERT_EQ(hearts.size(), weights.size() / 3);
  for (const std::size_t i : hearts) weights.mutable_data()[i] += 0.1F;
  const std::size_t to_c = hearts[0], to_a = hearts[1];
  weights.mutable_data()[to_c] = 0.9F * c;
  weights.mutable_data()[to_a] = 1.5F * a;
  double sum = 0;
  for (std::size_t i = 2; i < hearts.size(); ++i) sum += static_cast<double>(weights.data()[hearts[i]]);
  advance(quantizer, weights);
  EXPECT_EQ(quantizer.levels()[0], a);
  EXPECT_EQ(quantizer.levels()[2], c);
  EXPECT_EQ(weights.data()[to_c], c);
  EXPECT_EQ(weights.data()[to_a], a);
  const double b = sum / static_cast<double>(hearts.size() - 2);
  EXPECT_NEAR(static_cast<double>(quantizer.levels()[1]), b, 2e-6);
  for (std::size_t i = 2; i < hearts.size(); ++i)
    EXPECT_EQ(weights.data()[hearts[i]], quantizer.levels()[1]) << hearts[i];
}

}  // namespace
}  // namespace bitplane::train::testing
