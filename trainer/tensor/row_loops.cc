// SPDX-License-Identifier: Apache-2.0
#include "trainer/tensor/row_loops.h"

#include <algorithm>
#include <cmath>

namespace bitplane::train {
namespace {

float affine(const RowMap& map, std::size_t c, float x) {
  return map.g != nullptr ? std::fma(x, map.g[c], map.h[c]) : x;
}

bool passes(PassInterval pass, float t) {
  return t > pass.lower && t <= pass.upper;
}

/// Adds up what row_map gave for each block ([blocks][levels][channels]), blocks and channels in order.
RankStatistics rank_statistics(std::size_t levels, std::size_t channels, const Tensor& counts,
                               const Tensor& sums) {
  std::vector<double> above_count(levels + 1, 0.0), above_sum(levels + 1, 0.0);
  const std::size_t blocks = counts.size() / (levels * channels);
  const float* count = counts.data();
  const float* sum = sums.data();
  for (std::size_t b = 0; b < blocks; ++b) {
    for (std::size_t l = 0; l < levels; ++l) {
      for (std::size_t c = 0; c < channels; ++c) {
        above_count[l] += static_cast<double>(*count++);
        above_sum[l] += static_cast<double>(*sum++);
      }
    }
  }
  RankStatistics statistics;
  for (std::size_t l = 0; l < levels; ++l) {
    statistics.count.push_back(static_cast<std::uint64_t>(above_count[l] - above_count[l + 1]));
    statistics.sum.push_back(above_sum[l] - above_sum[l + 1]);
  }
  return statistics;
}

}  // namespace

PassInterval pass_interval(const RowMap& map) noexcept {
  PassInterval pass{-std::numeric_limits<float>::infinity(), std::numeric_limits<float>::infinity()};
  if (map.table != nullptr) pass = {map.table->pass_above, map.table->pass_up_to};
  if (map.relu) pass.lower = std::max(pass.lower, 0.0F);
  return pass;
}

void row_moments(RowBlock block, const float* x, float* mean, float* m2) noexcept {
  row_sums(block, x, mean);
  for (std::size_t c = 0; c < block.channels; ++c) mean[c] /= static_cast<float>(block.rows);
  std::fill_n(m2, block.channels, 0.0F);
  for (std::size_t r = 0; r < block.rows; ++r, x += block.channels) {
    for (std::size_t c = 0; c < block.channels; ++c) {
      const float d = x[c] - mean[c];
      m2[c] = std::fma(d, d, m2[c]);
    }
  }
}

void row_map(RowBlock block, const RowMap& map, const float* x, float* y, float* counts,
             float* sums) noexcept {
  const std::size_t channels = block.channels;
  const std::size_t levels = map.table != nullptr ? map.table->levels.size() : 0;
  if (counts != nullptr) {
    std::fill_n(counts, levels * channels, 0.0F);
    std::fill_n(sums, levels * channels, 0.0F);
  }
  for (std::size_t r = 0; r < block.rows; ++r, x += channels, y += channels) {
    for (std::size_t c = 0; c < channels; ++c) {
      float t = affine(map, c, x[c]);
      if (map.relu) t = t > 0.0F ? t : 0.0F;
      if (map.table == nullptr) {
        y[c] = t;
        continue;
      }
      std::size_t rank = 0;
      if (counts != nullptr) {
        counts[c] += 1.0F;
        sums[c] += t;
      }
      for (std::size_t l = 0; l + 1 < levels; ++l) {
        const bool above = t > map.table->thresholds[l];
        rank += above ? 1 : 0;
        if (counts != nullptr) {
          counts[(l + 1) * channels + c] += above ? 1.0F : 0.0F;
          sums[(l + 1) * channels + c] += above ? t : 0.0F;
        }
      }
      y[c] = map.table->levels[rank];
    }
  }
}

void row_mask(RowBlock block, PassInterval pass, const float* x, const float* dy, float* dx) noexcept {
  const std::size_t n = block.rows * block.channels;
  for (std::size_t i = 0; i < n; ++i) dx[i] = passes(pass, x[i]) ? dy[i] : 0.0F;
}

void row_norm_sums(RowBlock block, const RowMap& map, const float* mean, const float* x, const float* dy,
                   float* sum_e, float* sum_ex) noexcept {
  const PassInterval pass = pass_interval(map);
  std::fill_n(sum_e, block.channels, 0.0F);
  std::fill_n(sum_ex, block.channels, 0.0F);
  for (std::size_t r = 0; r < block.rows; ++r, x += block.channels, dy += block.channels) {
    for (std::size_t c = 0; c < block.channels; ++c) {
      const float e = passes(pass, affine(map, c, x[c])) ? dy[c] : 0.0F;
      sum_e[c] += e;
      sum_ex[c] = std::fma(e, x[c] - mean[c], sum_ex[c]);
    }
  }
}

void row_norm_gradient(RowBlock block, const RowMap& map, const float* mean, const float* slope,
                       const float* shift, const float* x, const float* dy, float* dx) noexcept {
  const PassInterval pass = pass_interval(map);
  for (std::size_t r = 0; r < block.rows;
       ++r, x += block.channels, dy += block.channels, dx += block.channels) {
    for (std::size_t c = 0; c < block.channels; ++c) {
      const float e = passes(pass, affine(map, c, x[c])) ? dy[c] : 0.0F;
      dx[c] = std::fma(e, map.g[c], std::fma(x[c] - mean[c], slope[c], shift[c]));
    }
  }
}

void row_sums(RowBlock block, const float* x, float* sum) noexcept {
  std::fill_n(sum, block.channels, 0.0F);
  for (std::size_t r = 0; r < block.rows; ++r, x += block.channels) {
    for (std::size_t c = 0; c < block.channels; ++c) sum[c] += x[c];
  }
}

void for_each_block(Backend& backend, std::size_t rows, std::size_t channels,
                    const std::function<void(std::size_t, std::size_t, RowBlock)>& body) {
  backend.threads().parallel_for(block_count(rows), [&](std::size_t index, std::size_t) {
    const std::size_t first = index * kBlockRows;
    body(index, first, {std::min(kBlockRows, rows - first), channels});
  });
}

std::vector<double> column_sums(Backend& backend, std::size_t rows, std::size_t channels, const float* x) {
  Tensor partial({block_count(rows), channels});
  float* sums = partial.mutable_data();
  for_each_block(backend, rows, channels, [&](std::size_t index, std::size_t first, RowBlock block) {
    row_sums(block, x + first * channels, sums + index * channels);
  });
  std::vector<double> total(channels, 0.0);
  for (std::size_t b = 0; b < block_count(rows); ++b) {
    for (std::size_t c = 0; c < channels; ++c) total[c] += static_cast<double>(sums[b * channels + c]);
  }
  return total;
}

void map_rows(Backend& backend, const RowMap& map, const Tensor& x, Tensor& y) {
  const std::size_t channels = x.shape().back();
  float* to = y.mutable_data();
  for_each_block(backend, x.shape().rows(), channels, [&](std::size_t, std::size_t first, RowBlock block) {
    row_map(block, map, x.data() + first * channels, to + first * channels, nullptr, nullptr);
  });
}

RankStatistics map_rows_counted(Backend& backend, const RowMap& map, const Tensor& x, Tensor& y) {
  const std::size_t rows = x.shape().rows(), channels = x.shape().back(), levels = map.table->levels.size();
  const std::size_t per_block = levels * channels;
  Tensor counts({block_count(rows), per_block}), sums({block_count(rows), per_block});
  float* to = y.mutable_data();
  float* count = counts.mutable_data();
  float* sum = sums.mutable_data();
  for_each_block(backend, rows, channels, [&](std::size_t index, std::size_t first, RowBlock block) {
    row_map(block, map, x.data() + first * channels, to + first * channels, count + index * per_block,
            sum + index * per_block);
  });
  return rank_statistics(levels, channels, counts, sums);
}

Tensor mask_rows(Backend& backend, PassInterval pass, const Tensor& x, const Tensor& dy) {
  const std::size_t channels = x.shape().back();
  Tensor dx(x.shape());
  float* to = dx.mutable_data();
  for_each_block(backend, x.shape().rows(), channels, [&](std::size_t, std::size_t first, RowBlock block) {
    const std::size_t at = first * channels;
    row_mask(block, pass, x.data() + at, dy.data() + at, to + at);
  });
  return dx;
}

}  // namespace bitplane::train
