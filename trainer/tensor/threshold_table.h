// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace bitplane::train {

/// How activations are quantized right now: rank(x) = #{l : x > thresholds[l]}.
struct ThresholdTable {
  std::size_t bits = 1;
  std::vector<float> thresholds;           ///< [2^bits - 1], ascending
  std::vector<float> levels;               ///< [2^bits], by rank
  std::vector<std::uint8_t> code_of_rank;  ///< [2^bits]
  /// Surrogate: dvalue/dx = 1 for pass_above < x <= pass_up_to, else 0.
  float pass_above = -std::numeric_limits<float>::infinity();
  float pass_up_to = std::numeric_limits<float>::infinity();
};

/// Of one batch, by rank: exact counts; sums from fixed blocks combined in order.
struct RankStatistics {
  std::vector<std::uint64_t> count;  ///< [2^bits]
  std::vector<double> sum;           ///< [2^bits]
};

}  // namespace bitplane::train
