// SPDX-License-Identifier: Apache-2.0
//
// Ranks among many thresholds, by bisection of a whole vector at once: exact, whatever the thresholds are.
//
// The thresholds, filled up with +inf (which nothing exceeds) to 2^levels - 1, form a complete binary search
// tree in heap order: node 1 is the root, nodes 2n and 2n + 1 follow node n. One step is
// n = 2n + (t > tree[n]); after `levels` steps the rank is n - 2^levels. Level l touches the 2^l consecutive
// entries from 2^l on only, so the upper levels are permutations of registers instead of gathers.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bitplane/kernels/epilogue.h"

namespace bitplane::kernels {
namespace {

/// Up to here one comparison per threshold is as cheap.
inline constexpr std::size_t kLinearThresholds = 7;
inline constexpr unsigned kTreeLevels = 8;

class ThresholdTree {
 public:
  explicit ThresholdTree(const RankCodes& ranks) {
    while ((std::size_t{1} << levels_) <= ranks.count) ++levels_;
    nodes_[0] = 0.0F;
    for (unsigned level = 0; level < levels_; ++level) {
      const std::size_t first = std::size_t{1} << level, step = std::size_t{1} << (levels_ - level);
      for (std::size_t i = 0; i < first; ++i) {
        const std::size_t l = i * step + step / 2 - 1;
        nodes_[first + i] = l < ranks.count ? ranks.thresholds[l] : __builtin_inff();
      }
    }
  }
  [[nodiscard]] unsigned levels() const { return levels_; }
  [[nodiscard]] const float* nodes() const { return nodes_; }

 private:
  alignas(64) float nodes_[std::size_t{1} << kTreeLevels];
  unsigned levels_ = 0;
};

template <class V, class Values>
struct TreeRank {
  Values values;
  const ThresholdTree& tree;

  [[gnu::always_inline]] typename V::Ints operator()(std::size_t p, std::size_t c, std::size_t count) const {
    const typename Values::Vector t = values.at(p, c, count);
    typename V::Ints node = V::broadcast(std::int32_t{1});
    for (unsigned level = 0; level < tree.levels(); ++level) {
      node = V::descend(node, t, tree.nodes(), level);
    }
    return V::bit_xor(node, V::broadcast(std::int32_t{1} << tree.levels()));
  }
};

}  // namespace
}  // namespace bitplane::kernels
