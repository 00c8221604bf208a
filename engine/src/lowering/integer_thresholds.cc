// SPDX-License-Identifier: Apache-2.0
#include "lowering/integer_thresholds.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace bitplane::engine {
namespace {

constexpr std::int64_t kLowest = std::numeric_limits<std::int32_t>::min();
constexpr std::int64_t kHighest = std::numeric_limits<std::int32_t>::max();

bool passes(std::int64_t a, float g, float h, float threshold) noexcept {
  return std::fma(static_cast<float>(a), g, h) > threshold;
}

/// The smallest A in int32 for which passes(A) == rising, or kHighest + 1.
std::int64_t turning_point(float g, float h, float threshold, bool rising) noexcept {
  std::int64_t low = kLowest;
  std::int64_t high = kHighest + 1;
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    if (passes(middle, g, h, threshold) == rising) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

}  // namespace

std::size_t ChannelThresholds::rank(std::int32_t a) const noexcept {
  if (test == ChannelTest::Constant) return constant_rank;
  std::size_t passed = 0;
  for (const std::int32_t theta : thresholds)
    passed += (test == ChannelTest::AtLeast ? a >= theta : a <= theta) ? 1 : 0;
  return passed;
}

ChannelThresholds integer_thresholds(float g, float h, std::span<const float> thresholds) {
  ChannelThresholds channel;
  if (g == 0.0F) {
    channel.test = ChannelTest::Constant;
    for (const float t : thresholds) channel.constant_rank += h > t ? 1 : 0;
    return channel;
  }
  channel.test = g > 0.0F ? ChannelTest::AtLeast : ChannelTest::AtMost;
  for (const float t : thresholds) {
    const std::int64_t theta = g > 0.0F ? std::min(turning_point(g, h, t, true), kHighest)
                                        : std::max(turning_point(g, h, t, false) - 1, kLowest);
    channel.thresholds.push_back(static_cast<std::int32_t>(theta));
  }
  return channel;
}

}  // namespace bitplane::engine
