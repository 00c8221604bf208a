// SPDX-License-Identifier: Apache-2.0
//
// Sums over a tensor's elements in double whose bits do not depend on threads: fixed blocks, added in order.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "trainer/tensor/backend.h"
#include "trainer/tensor/function_ref.h"

namespace bitplane::train {

/// Elements of one block. Part of the contract: changing it changes the bits of training.
inline constexpr std::size_t kSumBlock = std::size_t{1} << 14;

/// body(begin, end, sums) adds its elements' share to `sums` ([count], zero at the start of each block).
inline std::vector<double> blocked_sums(
    Backend& backend, std::size_t size, std::size_t count,
    FunctionRef<void(std::size_t begin, std::size_t end, std::span<double> sums)> body) {
  const std::size_t blocks = (size + kSumBlock - 1) / kSumBlock;
  std::vector<double> partial(blocks * count, 0.0);
  backend.threads().parallel_for(blocks, [&](std::size_t block, std::size_t) {
    body(block * kSumBlock, std::min(size, (block + 1) * kSumBlock),
         std::span(partial).subspan(block * count, count));
  });
  std::vector<double> total(count, 0.0);
  for (std::size_t i = 0; i < partial.size(); ++i) total[i % count] += partial[i];
  return total;
}

}  // namespace bitplane::train
