// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

namespace bitplane::bench {

/// `count` indices spread over [0, size) or some more, all if there are fewer, the last one included. Their
/// distance has no factor in common with `size`: with outputs of [pixel][channel] they meet as many different
/// channels as they can.
[[nodiscard]] inline std::vector<std::size_t> samples(std::size_t size, std::size_t count = 41) {
  std::size_t step = std::max<std::size_t>(1, size / count);
  while (std::gcd(step, size) != 1) --step;
  std::vector<std::size_t> at;
  for (std::size_t i = 0; i < size; i += step) at.push_back(i);
  at.push_back(size - 1);
  return at;
}

}  // namespace bitplane::bench
