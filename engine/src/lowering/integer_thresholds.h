// SPDX-License-Identifier: Apache-2.0
//
// The thresholds of a folded quantizer as tests on the integer accumulator A. The predicate
//
//     fma(float(A), g, h) > t
//
// is monotone in A: conversion and fma round monotonically. So one bisection on the predicate itself finds
// the A where it turns; no second formula exists that could differ in the last bit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lowering/program.h"

namespace bitplane::engine {

enum class ChannelTest : std::uint8_t {
  AtLeast,  ///< A >= theta_l; INT32_MIN is always, INT32_MAX never (no accumulator is either: |A| < 2^31 - 1)
  AtMost,   ///< A <= theta_l; INT32_MAX is always, INT32_MIN never
  Constant,  ///< g = 0: the rank does not depend on A
};

struct ChannelThresholds {
  ChannelTest test = ChannelTest::AtLeast;
  std::vector<std::int32_t> thresholds;  ///< one per threshold; empty for Constant
  std::size_t constant_rank = 0;         ///< Constant only

  /// The rank of accumulator A: how many tests it passes.
  [[nodiscard]] std::size_t rank(std::int32_t a) const noexcept;
};

[[nodiscard]] ChannelThresholds integer_thresholds(float g, float h, std::span<const float> thresholds);

}  // namespace bitplane::engine
