// SPDX-License-Identifier: Apache-2.0
//
// The inner loops of per-channel operations, on a block of `rows` rows of `channels` floats. Every reduction
// is, for each channel, one chain over the rows of the block; vectors run over channels. So the bits depend
// on the blocks alone, which are kBlockRows rows whatever the number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "trainer/tensor/backend.h"
#include "trainer/tensor/tensor.h"
#include "trainer/tensor/threshold_table.h"

namespace bitplane::train {

/// Rows of one block. Part of the contract: changing it changes the bits of training.
inline constexpr std::size_t kBlockRows = 256;

struct RowBlock {
  std::size_t rows = 0, channels = 0;
};

/// What happens to t = fma(x, g, h), or to x itself where g is null, before it is stored.
struct RowMap {
  const float* g = nullptr;  ///< [channels]
  const float* h = nullptr;
  bool relu = false;
  const ThresholdTable* table = nullptr;  ///< levels are stored
};

/// Passes gradient where lower < t <= upper.
struct PassInterval {
  float lower, upper;
};
[[nodiscard]] PassInterval pass_interval(const RowMap& map) noexcept;

/// mean[c] = (chain of x) / rows; m2[c] = chain of fma(x - mean, x - mean, m2).
void row_moments(RowBlock block, const float* x, float* mean, float* m2) noexcept;

/// y = map(x). With `counts` and `sums` ([levels][channels], both null or both not), of the values that are
/// compared with the thresholds: entry 0 is the number of rows and the chain of all values, entry l the
/// number and the chain of those above threshold l - 1 (a value that is not adds +0).
void row_map(RowBlock block, const RowMap& map, const float* x, float* y, float* counts,
             float* sums) noexcept;

/// dx = dy where x passes, else +0.
void row_mask(RowBlock block, PassInterval pass, const float* x, const float* dy, float* dx) noexcept;

/// Backward of y = map(fma(x, g, h)), with e = dy where fma(x, g, h) passes, else +0:
/// sum_e[c] = chain of e; sum_ex[c] = chain of fma(e, x - mean, sum).
void row_norm_sums(RowBlock block, const RowMap& map, const float* mean, const float* x, const float* dy,
                   float* sum_e, float* sum_ex) noexcept;
/// dx = fma(e, g, fma(x - mean, slope, shift)).
void row_norm_gradient(RowBlock block, const RowMap& map, const float* mean, const float* slope,
                       const float* shift, const float* x, const float* dy, float* dx) noexcept;

/// sum[c] = chain of x.
void row_sums(RowBlock block, const float* x, float* sum) noexcept;

/// Runs body(block index, first row, block) over the rows, in parallel.
void for_each_block(
    Backend& backend, std::size_t rows, std::size_t channels,
    const std::function<void(std::size_t index, std::size_t first_row, RowBlock block)>& body);
[[nodiscard]] inline std::size_t block_count(std::size_t rows) {
  return (rows + kBlockRows - 1) / kBlockRows;
}

/// Sums of all rows, per channel: blocks' sums added in block order in double.
[[nodiscard]] std::vector<double> column_sums(Backend& backend, std::size_t rows, std::size_t channels,
                                              const float* x);

/// Whole tensors: y = map(x), in parallel.
void map_rows(Backend& backend, const RowMap& map, const Tensor& x, Tensor& y);
/// The same, with the statistics of the ranks; map.table must be set.
[[nodiscard]] RankStatistics map_rows_counted(Backend& backend, const RowMap& map, const Tensor& x,
                                              Tensor& y);
/// dx = dy where x passes, else +0.
[[nodiscard]] Tensor mask_rows(Backend& backend, PassInterval pass, const Tensor& x, const Tensor& dy);

}  // namespace bitplane::train
