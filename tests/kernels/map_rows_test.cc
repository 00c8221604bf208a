// SPDX-License-Identifier: Apache-2.0
//
// Affine, ReLU and quantizer in one pass, against one element at a time.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "bitplane/kernels/elementwise.h"
#include "kernels/elementwise_support.h"
#include "kernels/f32_support.h"

namespace bitplane::kernels {
namespace {

class MapRowsTest : public ElementwiseBlockTest {};
INSTANTIATE_TEST_SUITE_P(Isas, MapRowsTest, testing::ValuesIn(built_isas(Family::Elementwise)),
                         [](const auto& test) { return std::string(test.param.name); });

struct LevelTableValues {
  std::vector<float> thresholds, levels;
};
LevelTableValues make_quantizer(std::size_t count, Numbers& numbers) {
  LevelTableValues q{numbers.floats(count, -0.5F, 1.5F), numbers.floats(count + 1, 0.0F, 2.0F)};
  if (count > 1) q.thresholds[0] = q.thresholds[1];  // equal thresholds are crossed together
  if (count > 2) q.thresholds[2] = 0.5F;             // some values lie exactly on a threshold
  if (count > 6) q.thresholds[6] = -kInfinity;
  std::sort(q.thresholds.begin(), q.thresholds.end());
  return q;
}

struct Mapped {
  std::vector<float> y, count, sum;
  std::vector<std::uint8_t> ranks;
};
Mapped reference_map(const MapRows& a) {
  const std::size_t channels = a.block.channels, levels = a.table.count + 1;
  Mapped m{std::vector<float>(a.block.rows * channels), std::vector<float>(levels * channels),
           std::vector<float>(levels * channels), std::vector<std::uint8_t>(a.block.rows * channels)};
  for (std::size_t i = 0; i < m.y.size(); ++i) {
    const std::size_t c = i % channels;
    float t = a.x[i];
    if (a.affine.scale != nullptr) t = std::fma(t, a.affine.scale[c], a.affine.shift[c]);
    if (a.activation == Activation::Relu) t = t > 0.0F ? t : 0.0F;
    m.y[i] = t;
    if (a.table.count == 0) continue;
    m.count[c] += 1.0F;
    m.sum[c] += t;
    std::size_t rank = 0;
    for (std::size_t l = 0; l < a.table.count; ++l) {
      const bool above = t > a.table.thresholds[l];
      rank += above ? 1 : 0;
      m.count[(l + 1) * channels + c] += above ? 1.0F : 0.0F;
      m.sum[(l + 1) * channels + c] += above ? t : 0.0F;
    }
    m.ranks[i] = static_cast<std::uint8_t>(rank);
    m.y[i] = a.table.levels[rank];
  }
  return m;
}

TEST_P(MapRowsTest, EveryKindOfTable) {
  for_blocks([&](RowBlock block, Numbers& numbers) {
    const auto x = awkward(numbers, block.rows * block.channels);
    const auto scale = numbers.floats(block.channels), shift = numbers.floats(block.channels);
    for (const std::size_t count : {0, 1, 2, 3, 4, 7, 15, 16, 255}) {
      const LevelTableValues quantizer = make_quantizer(count, numbers);
      MapRows map{.block = block, .x = x.data()};
      if (count > 0) map.table = {quantizer.thresholds.data(), quantizer.levels.data(), count};
      for (const Activation activation : {Activation::None, Activation::Relu}) {
        map.activation = activation;
        for (const ChannelAffine affine : {ChannelAffine{}, ChannelAffine{scale.data(), shift.data()}}) {
          SCOPED_TRACE(testing::Message() << "thresholds=" << count << " affine=" << (affine.scale != nullptr)
                                          << " relu=" << (activation == Activation::Relu));
          map.affine = affine;
          const Mapped expected = reference_map(map);
          std::vector<float> y(x.size(), kGarbage), counts(expected.count.size(), kGarbage), sums = counts;
          std::vector<std::uint8_t> ranks(x.size(), 0xa5);
          MapRows bare = map;
          bare.y = y.data();
          kernels().map_rows(bare);
          EXPECT_EQ(bits_of(y), bits_of(expected.y));
          if (count == 0) continue;
          std::fill(y.begin(), y.end(), kGarbage);
          bare.ranks = ranks.data();
          bare.above_count = counts.data();
          bare.above_sum = sums.data();
          kernels().map_rows(bare);
          EXPECT_EQ(bits_of(y), bits_of(expected.y));
          EXPECT_EQ(ranks, expected.ranks);
          EXPECT_EQ(bits_of(counts), bits_of(expected.count));
          EXPECT_EQ(bits_of(sums), bits_of(expected.sum));
        }
      }
    }
  });
}

/// Thresholds at even steps, each off its place by up to `off` of a step.
LevelTable even_table(LevelTableValues& values, std::size_t count, float step, float off, Numbers& numbers) {
  values = {numbers.floats(count, -off, off), numbers.floats(count + 1, 0.0F, 2.0F)};
  for (std::size_t l = 0; l < count; ++l) {
    values.thresholds[l] = step * (static_cast<float>(l) + 0.5F + values.thresholds[l]);
  }
  std::sort(values.thresholds.begin(), values.thresholds.end());
  return {values.thresholds.data(), values.levels.data(), count};
}

/// What lies on the thresholds, right beside them, between them and far away.
std::vector<float> around(const LevelTable& table, std::size_t size, float step, Numbers& numbers) {
  std::vector<float> x = numbers.floats(size, -3.0F * step, step * (static_cast<float>(table.count) + 3.0F));
  for (float& v : x) {
    const float threshold = table.thresholds[numbers.next() % table.count];
    const float choices[] = {
        v,         threshold,  std::nextafter(threshold, kInfinity),    std::nextafter(threshold, -kInfinity),
        kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::max()};
    v = choices[numbers.next() % std::size(choices)];
  }
  return x;
}

/// Even steps let a rank be guessed; what the guess may rely on ends at a quarter of a step, and at steps
/// whose reciprocal is no float.
TEST_P(MapRowsTest, ThresholdsAtEvenSteps) {
  for_blocks([&](RowBlock block, Numbers& numbers) {
    for (const std::size_t count : {2, 15, 16, 63, 64, 255}) {
      for (const float step : {0.0123F, 1.0e-39F, 1.0e-30F, 1.0e36F}) {
        for (const float off : {0.0F, 0.11F, 0.49F, 3.0F}) {
          SCOPED_TRACE(testing::Message() << "thresholds=" << count << " step=" << step << " off=" << off);
          LevelTableValues values;
          MapRows map{.block = block, .table = even_table(values, count, step, off, numbers)};
          const std::vector<float> x = around(map.table, block.rows * block.channels, step, numbers);
          map.x = x.data();
          const Mapped expected = reference_map(map);
          std::vector<float> y(x.size(), kGarbage);
          std::vector<std::uint8_t> ranks(x.size(), 0xa5);
          map.y = y.data();
          map.ranks = ranks.data();
          kernels().map_rows(map);
          EXPECT_EQ(bits_of(y), bits_of(expected.y));
          EXPECT_EQ(ranks, expected.ranks);
        }
      }
    }
  });
}

TEST_P(MapRowsTest, InPlace) {
  Numbers numbers(5);
  std::vector<float> x = awkward(numbers, 9 * 19);
  MapRows map{.block = {9, 19}, .x = x.data(), .activation = Activation::Relu};
  const Mapped expected = reference_map(map);
  map.y = x.data();
  kernels().map_rows(map);
  EXPECT_EQ(bits_of(x), bits_of(expected.y));
}

}  // namespace
}  // namespace bitplane::kernels
