// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <vector>

#include "trainer/math/random.h"
#include "trainer/math/transcendental.h"

namespace bitplane::train {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Distance in units of the last place of the exact value.
double ulps(double got, long double exact) {
  const double near = static_cast<double>(exact);
  const double unit = std::nextafter(std::abs(near), kInfinity) - std::abs(near);
  return static_cast<double>(std::abs(static_cast<long double>(got) - exact) /
                             static_cast<long double>(unit));
}

TEST(Transcendental, ExpIsWithinOneAndAHalfUlp) {
  Random random(1, 0);
  for (int i = 0; i < 20000; ++i) {
    const double x = i % 2 == 0 ? (random.uniform() - 0.5) * 1400.0 : (random.uniform() - 0.5) * 4.0;
    ASSERT_LT(ulps(math::exp(x), std::exp(static_cast<long double>(x))), 1.5) << "x = " << x;
  }
}

TEST(Transcendental, ExpAtItsEdges) {
  EXPECT_EQ(math::exp(0.0), 1.0);
  EXPECT_EQ(math::exp(-kInfinity), 0.0);
  EXPECT_EQ(math::exp(kInfinity), kInfinity);
  EXPECT_EQ(math::exp(1000.0), kInfinity);
  EXPECT_EQ(math::exp(-1000.0), 0.0);
  EXPECT_TRUE(std::isfinite(math::exp(709.78)));
  EXPECT_GT(math::exp(-745.0), 0.0);
  EXPECT_TRUE(std::isnan(math::exp(std::numeric_limits<double>::quiet_NaN())));
}

TEST(Transcendental, LogIsWithinOneAndAHalfUlp) {
  Random random(2, 0);
  for (int i = 0; i < 20000; ++i) {
    const double x = i % 2 == 0 ? std::exp2(2000.0 * (random.uniform() - 0.5)) : 0.5 + 1.5 * random.uniform();
    ASSERT_LT(ulps(math::log(x), std::log(static_cast<long double>(x))), 1.5) << "x = " << x;
  }
}

TEST(Transcendental, LogAtItsEdges) {
  EXPECT_EQ(math::log(1.0), 0.0);
  EXPECT_EQ(math::log(0.0), -kInfinity);
  EXPECT_EQ(math::log(kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(math::log(-1.0)));
  const double tiny = std::numeric_limits<double>::denorm_min();
  EXPECT_LT(ulps(math::log(tiny), std::log(static_cast<long double>(tiny))), 1.5);
}

TEST(Transcendental, SinAndCosOfTurnsAreWithinOneAndAHalfUlp) {
  const long double two_pi = 2.0L * std::acos(-1.0L);
  Random random(3, 0);
  for (int i = 0; i < 20000; ++i) {
    const double t =
        (random.uniform() - 0.5) * 0.25;  // the octants around 0: long double's own reduction is exact enough
    ASSERT_LT(ulps(math::sin_turns(t), std::sin(two_pi * static_cast<long double>(t))), 1.5) << "t = " << t;
    ASSERT_LT(ulps(math::cos_turns(t), std::cos(two_pi * static_cast<long double>(t))), 1.5) << "t = " << t;
  }
}

TEST(Transcendental, QuarterTurnsAreExactAndPeriodic) {
  EXPECT_EQ(math::cos_turns(0.0), 1.0);
  EXPECT_EQ(math::cos_turns(0.25), 0.0);
  EXPECT_EQ(math::cos_turns(0.5), -1.0);
  EXPECT_EQ(math::sin_turns(0.25), 1.0);
  EXPECT_EQ(math::sin_turns(0.75), -1.0);
  for (const double t : {0.1, 0.3, 0.6, 0.9}) {
    // t + 8 rounds t, so compare at the rounded point.
    const double moved = t + 8.0;
    EXPECT_EQ(math::cos_turns(moved), math::cos_turns(moved - 8.0));
    EXPECT_EQ(math::sin_turns(-t), -math::sin_turns(t));
    EXPECT_NEAR(math::cos_turns(t), std::cos(2.0 * std::acos(-1.0) * t), 1e-15);
    EXPECT_NEAR(math::sin_turns(t), std::sin(2.0 * std::acos(-1.0) * t), 1e-15);
  }
}

// The known answers that come with the generator's reference implementation (Random123).
TEST(RandomNumbers, PhiloxKnownAnswers) {
  using Block = std::array<std::uint32_t, 4>;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr std::uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomNumbers, AStreamGoesOnFromItsPosition) {
  Random whole(7, 9);
  for (int i = 0; i < 5; ++i) whole.next_u32();
  Random resumed(7, 9, whole.position());
  for (int i = 0; i < 20; ++i) EXPECT_EQ(whole.next_u32(), resumed.next_u32());
}

TEST(RandomNumbers, SeedsAndStreamsDiffer) {
  EXPECT_NE(Random(1, 0).next_u64(), Random(2, 0).next_u64());
  EXPECT_NE(Random(1, 0).next_u64(), Random(1, 1).next_u64());
  EXPECT_NE(stream_of("conv1.weight"), stream_of("conv2.weight"));
}

TEST(RandomNumbers, NormalHasTheRightMoments) {
  Random random(11, 0);
  constexpr int kCount = 50000;
  double sum = 0, square = 0, fourth = 0;
  for (int i = 0; i < kCount; ++i) {
    const double z = random.normal();
    sum += z;
    square += z * z;
    fourth += z * z * z * z;
  }
  // Five standard errors each.
  EXPECT_NEAR(sum / kCount, 0.0, 5.0 / std::sqrt(kCount));
  EXPECT_NEAR(square / kCount, 1.0, 5.0 * std::sqrt(2.0 / kCount));
  EXPECT_NEAR(fourth / kCount, 3.0, 5.0 * std::sqrt(96.0 / kCount));
}

TEST(RandomNumbers, BelowIsInRangeAndHitsEverything) {
  Random random(12, 0);
  for (const std::uint32_t bound : {1U, 2U, 7U, 10U}) {
    std::set<std::uint32_t> seen;
    for (int i = 0; i < 500; ++i) {
      const std::uint32_t v = random.below(bound);
      ASSERT_LT(v, bound);
      seen.insert(v);
    }
    EXPECT_EQ(seen.size(), bound);
  }
}

TEST(RandomNumbers, ShuffleIsAPermutation) {
  Random random(13, 0);
  std::vector<std::uint32_t> indices(1000);
  std::iota(indices.begin(), indices.end(), 0U);
  const std::vector<std::uint32_t> before = indices;
  shuffle(indices, random);
  EXPECT_NE(indices, before);
  std::vector<std::uint32_t> sorted = indices;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(sorted, before);
}

}  // namespace
}  // namespace bitplane::train
