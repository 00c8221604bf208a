// SPDX-License-Identifier: Apache-2.0
#include "trainer/tensor/row_loops.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace bitplane::train {
namespace {

kernels::MapRows map_of_block(const RowMap& map, const BlockAt& at, const float* x, float* y) {
  kernels::MapRows m{.block = at.block,
                     .x = x + at.offset,
                     .y = y + at.offset,
                     .affine = map.affine,
                     .activation = map.activation};
  if (map.table != nullptr) {
    m.table = {map.table->thresholds.data(), map.table->levels.data(), map.table->thresholds.size()};
  }
  return m;
}

/// Adds up what the blocks counted ([blocks][levels][channels] each), blocks and channels in order.
RankStatistics rank_statistics(std::size_t levels, std::size_t channels, const Tensor& counts,
                               const Tensor& sums) {
  RecycledVector<double> above_count(levels + 1, 0.0), above_sum(levels + 1, 0.0);
  const std::size_t blocks = counts.shape()[0];
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

void for_each_block(Backend& backend, const Shape& shape, FunctionRef<void(const BlockAt&)> body) {
  const std::size_t rows = shape.rows(), channels = shape.back();
  backend.threads().parallel_for(block_count(rows), [&](std::size_t index, std::size_t) {
    const std::size_t first = index * kBlockRows;
    body({index, first * channels, {std::min(kBlockRows, rows - first), channels}});
  });
}

RecycledVector<double> channel_sums(Backend& backend, const Tensor& x) {
  const std::size_t channels = x.shape().back(), blocks = block_count(x.shape().rows());
  Tensor partial({blocks, channels});
  float* sums = partial.mutable_data();
  for_each_block(backend, x.shape(), [&](const BlockAt& at) {
    backend.elementwise().channel_sums(
        {.block = at.block, .x = x.data() + at.offset, .sum = sums + at.index * channels});
  });
  RecycledVector<double> total(channels, 0.0);
  for (std::size_t b = 0; b < blocks; ++b) {
    for (std::size_t c = 0; c < channels; ++c) total[c] += static_cast<double>(sums[b * channels + c]);
  }
  return total;
}

kernels::PassInterval pass_interval(const RowMap& map) noexcept {
  kernels::PassInterval pass;
  if (map.table != nullptr) pass = {map.table->pass_above, map.table->pass_up_to};
  if (map.activation == kernels::Activation::Relu) pass.above = std::max(pass.above, 0.0F);
  return pass;
}

void map_rows(Backend& backend, const RowMap& map, const Tensor& x, Tensor& y) {
  float* to = y.mutable_data();
  for_each_block(backend, x.shape(), [&](const BlockAt& at) {
    backend.elementwise().map_rows(map_of_block(map, at, x.data(), to));
  });
}

RankStatistics map_rows_counted(Backend& backend, const RowMap& map, const Tensor& x, Tensor& y) {
  const std::size_t channels = x.shape().back(), levels = map.table->levels.size();
  const Shape per_block{block_count(x.shape().rows()), levels, channels};
  Tensor counts(per_block), sums(per_block);
  float* to = y.mutable_data();
  float* count = counts.mutable_data();
  float* sum = sums.mutable_data();
  for_each_block(backend, x.shape(), [&](const BlockAt& at) {
    kernels::MapRows m = map_of_block(map, at, x.data(), to);
    m.above_count = count + at.index * levels * channels;
    m.above_sum = sum + at.index * levels * channels;
    backend.elementwise().map_rows(m);
  });
  return rank_statistics(levels, channels, counts, sums);
}

Tensor mask_gradient(Backend& backend, kernels::PassInterval pass, const Tensor& x, Tensor dy) {
  const float* from = dy.data();
  Tensor dx = dy.unique() ? std::move(dy) : Tensor(x.shape());
  float* to = dx.mutable_data();
  backend.threads().parallel_ranges(
      x.size(), kFlatGrain, [&](std::size_t begin, std::size_t end, std::size_t) {
        backend.elementwise().mask_gradient(
            {.size = end - begin, .pass = pass, .x = x.data() + begin, .dy = from + begin, .dx = to + begin});
      });
  return dx;
}

TrainedGradients trained_gradients(Backend& backend, const TrainedRule& rule, const Tensor& x, Tensor dy) {
  const std::size_t channels = x.shape().back(), blocks = block_count(x.shape().rows());
  const float* from = dy.data();
  TrainedGradients found{.dx = dy.unique() ? std::move(dy) : Tensor(x.shape())};
  Tensor passed({blocks, channels}), trained({blocks, channels});
  float *to = found.dx.mutable_data(), *e = passed.mutable_data(), *p = trained.mutable_data();
  for_each_block(backend, x.shape(), [&](const BlockAt& at) {
    backend.elementwise().trained_gradient({.block = at.block,
                                            .pass = rule.pass,
                                            .slope = rule.slope,
                                            .factor = rule.factor,
                                            .shift = rule.shift,
                                            .thresholds = rule.thresholds.data(),
                                            .count = rule.thresholds.size(),
                                            .x = x.data() + at.offset,
                                            .dy = from + at.offset,
                                            .dx = to + at.offset,
                                            .sum_e = e + at.index * channels,
                                            .sum_trained = p + at.index * channels});
  });
  for (const float v : passed.values()) found.passed += static_cast<double>(v);
  for (const float v : trained.values()) found.trained += static_cast<double>(v);
  return found;
}

void add_to(Backend& backend, Tensor& sum, const Tensor& more) {
  float* to = sum.mutable_data();
  backend.threads().parallel_ranges(
      sum.size(), kFlatGrain, [&](std::size_t begin, std::size_t end, std::size_t) {
        backend.elementwise().add(
            {.size = end - begin, .a = to + begin, .b = more.data() + begin, .y = to + begin});
      });
}

}  // namespace bitplane::train
