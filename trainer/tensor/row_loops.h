// SPDX-License-Identifier: Apache-2.0
//
// Whole tensors on the element-wise kernels (kernels/elementwise.h), cut into blocks of rows that run in
// parallel. A kernel reduces a block with one chain per channel; blocks are combined in block order, in
// double. So the bits depend on the blocks alone, which are kBlockRows rows whatever the number of threads.
#pragma once

#include <cstddef>
#include <span>

#include "bitplane/kernels/elementwise.h"
#include "trainer/tensor/backend.h"
#include "trainer/tensor/function_ref.h"
#include "trainer/tensor/recycled.h"
#include "trainer/tensor/tensor.h"
#include "trainer/tensor/threshold_table.h"

namespace bitplane::train {

/// Rows of one block. Part of the contract: changing it changes the bits of training.
inline constexpr std::size_t kBlockRows = 256;

/// Elements of one piece of a flat loop. Not part of the contract.
inline constexpr std::size_t kFlatGrain = std::size_t{1} << 14;

[[nodiscard]] constexpr std::size_t block_count(std::size_t rows) {
  return (rows + kBlockRows - 1) / kBlockRows;
}

struct BlockAt {
  std::size_t index = 0;   ///< of the block
  std::size_t offset = 0;  ///< of its first element
  kernels::RowBlock block;
};

/// Runs body over the blocks of a tensor of that shape, in parallel; rows are all dimensions but the last.
void for_each_block(Backend& backend, const Shape& shape, FunctionRef<void(const BlockAt&)> body);

/// Per channel: blocks' sums added in block order in double.
[[nodiscard]] RecycledVector<double> channel_sums(Backend& backend, const Tensor& x);

/// What one pass over a tensor does with t = fma(x, scale, shift) (x itself without affine).
struct RowMap {
  kernels::ChannelAffine affine{};
  kernels::Activation activation = kernels::Activation::None;
  const ThresholdTable* table = nullptr;  ///< levels are stored
};

/// Where the map passes gradient: behind the ReLU and inside the table's interval.
[[nodiscard]] kernels::PassInterval pass_interval(const RowMap& map) noexcept;

void map_rows(Backend& backend, const RowMap& map, const Tensor& x, Tensor& y);
/// The same, with the statistics of the ranks; map.table must be set.
[[nodiscard]] RankStatistics map_rows_counted(Backend& backend, const RowMap& map, const Tensor& x,
                                              Tensor& y);
/// dx = dy where x passes, else +0.
[[nodiscard]] Tensor mask_gradient(Backend& backend, kernels::PassInterval pass, const Tensor& x, Tensor dy);

/// kernels::TrainedGradient without its arrays.
struct TrainedRule {
  kernels::PassInterval pass{};
  float slope = 1.0F, factor = 0.0F, shift = 0.0F;
  std::span<const float> thresholds = {};
};
struct TrainedGradients {
  Tensor dx;
  double passed = 0;   ///< sum of dy where x passes
  double trained = 0;  ///< sum of dy times the position
};
[[nodiscard]] TrainedGradients trained_gradients(Backend& backend, const TrainedRule& rule, const Tensor& x,
                                                 Tensor dy);
/// sum += more
void add_to(Backend& backend, Tensor& sum, const Tensor& more);

}  // namespace bitplane::train
