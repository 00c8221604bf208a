// SPDX-License-Identifier: Apache-2.0
//
// For per-ISA files only: affine, ReLU and quantizer in one pass over memory, with the statistics that a
// learned quantizer wants. 1 and 3 thresholds (1 and 2 bits) are compiled as constants, which gains a third;
// with 7 and 15 it gained nothing. Statistics stay in registers only where they fit: what GCC 12 spills it
// copies around in each row (AVX2, per element: 3 thresholds 0.9 ns against 0.4 ns when they are kept in the
// caller's arrays).
#pragma once

#include <cmath>
#include <limits>

#include "bitplane/kernels/elementwise.h"
#include "elementwise/columns.h"
#include "isa_unroll.h"

namespace bitplane::kernels {
namespace {

enum class Statistics : std::uint8_t { No, Yes };

/// t of one column, before the quantizer.
template <class V>
struct MapHead {
  V scale, shift;
  bool affine, relu;

  template <class Column>
  MapHead(const MapRows& a, std::size_t c, const Column& column)
      : scale(V::broadcast(1.0F)),
        shift(V::broadcast(0.0F)),
        affine(a.affine.scale != nullptr),
        relu(a.activation == Activation::Relu) {
    if (!affine) return;
    scale = column.load(a.affine.scale + c);
    shift = column.load(a.affine.shift + c);
  }
  V operator()(const V& x) const {
    const V t = affine ? fma(x, scale, shift) : x;
    const V zero = V::broadcast(0.0F);
    return relu ? select(above(t, zero), t, zero) : t;
  }
};

template <class V, class Column>
void map_plain_column(const MapRows& a, std::size_t c, const Column& column) {
  const MapHead<V> head(a, c, column);
  const std::size_t channels = a.block.channels;
  const float* x = a.x + c;
  float* y = a.y + c;
  for (std::size_t r = 0; r < a.block.rows; ++r, x += channels, y += channels)
    column.store(y, head(column.load(x)));
}

template <class V, class Column>
void store_ranks(const LevelTable& table, const Column& column, std::uint8_t* ranks, const V& t) {
  V rank = V::broadcast(0.0F);
  for (std::size_t l = 0; l < table.count; ++l) {
    rank = select(above(t, V::broadcast(table.thresholds[l])), V::broadcast(static_cast<float>(l + 1)), rank);
  }
  store_bytes(column, ranks, rank);
}

/// A table of kCount thresholds. Thresholds ascend, so the last one passed decides the level.
template <class V, std::size_t kCount, Statistics kStatistics, class Column>
void map_table_column(const MapRows& a, std::size_t c, const Column& column) {
  constexpr bool kCounted = kStatistics == Statistics::Yes;
  const MapHead<V> head(a, c, column);
  const std::size_t channels = a.block.channels;
  const V zero = V::broadcast(0.0F), one = V::broadcast(1.0F);
  V sum = zero, above_count[kCount], above_sum[kCount];
  unroll<kCount>([&](auto l) __attribute__((always_inline)) { above_count[l] = above_sum[l] = zero; });
  for (std::size_t r = 0; r < a.block.rows; ++r) {
    const std::size_t at = r * channels + c;
    const V t = head(column.load(a.x + at));
    V y = V::broadcast(a.table.levels[0]);
    if constexpr (kCounted) sum = add(sum, t);
    unroll<kCount>([&](auto l) __attribute__((always_inline)) {
      const auto passed = above(t, V::broadcast(a.table.thresholds[l]));
      y = select(passed, V::broadcast(a.table.levels[l + 1]), y);
      if constexpr (kCounted) {
        above_count[l] = add(above_count[l], select(passed, one, zero));
        above_sum[l] = add(above_sum[l], select(passed, t, zero));
      }
    });
    column.store(a.y + at, y);
    if (a.ranks != nullptr) store_ranks(a.table, column, a.ranks + at, t);
  }
  if constexpr (kCounted) {
    column.store(a.above_count + c, V::broadcast(static_cast<float>(a.block.rows)));
    column.store(a.above_sum + c, sum);
    unroll<kCount>([&](auto l) __attribute__((always_inline)) {
      column.store(a.above_count + (l + 1) * channels + c, above_count[l]);
      column.store(a.above_sum + (l + 1) * channels + c, above_sum[l]);
    });
  }
}

/// Statistics of one row and one threshold, kept in the caller's arrays.
template <class V, class Column, class Mask>
void count_in_memory(const MapRows& a, std::size_t at, const Column& column, const Mask& passed, const V& t) {
  const V zero = V::broadcast(0.0F);
  float *count = a.above_count + at, *sum = a.above_sum + at;
  column.store(count, add(column.load(count), select(passed, V::broadcast(1.0F), zero)));
  column.store(sum, add(column.load(sum), select(passed, t, zero)));
}

template <class V, class Column>
void map_any_table_column(const MapRows& a, std::size_t c, const Column& column) {
  const MapHead<V> head(a, c, column);
  const std::size_t channels = a.block.channels, count = a.table.count;
  const V zero = V::broadcast(0.0F);
  const bool counted = a.above_count != nullptr;
  for (std::size_t l = 0; counted && l <= count; ++l) {
    column.store(a.above_count + l * channels + c, zero);
    column.store(a.above_sum + l * channels + c, zero);
  }
  V sum = zero;
  for (std::size_t r = 0; r < a.block.rows; ++r) {
    const std::size_t at = r * channels + c;
    const V t = head(column.load(a.x + at));
    V y = V::broadcast(a.table.levels[0]);
    sum = add(sum, t);
    for (std::size_t l = 0; l < count; ++l) {
      const auto passed = above(t, V::broadcast(a.table.thresholds[l]));
      y = select(passed, V::broadcast(a.table.levels[l + 1]), y);
      if (counted) count_in_memory<V>(a, (l + 1) * channels + c, column, passed, t);
    }
    column.store(a.y + at, y);
    if (a.ranks != nullptr) store_ranks(a.table, column, a.ranks + at, t);
  }
  if (!counted) return;
  column.store(a.above_count + c, V::broadcast(static_cast<float>(a.block.rows)));
  column.store(a.above_sum + c, sum);
}

/// Thresholds that lie so near first + l / per_step that a guess from it misses the rank by no more than one.
struct Spacing {
  float first = 0.0F, per_step = 0.0F;  ///< per_step 0: no such thresholds
};

inline Spacing spacing_of(const LevelTable& table) {
  constexpr double kFarthest = 0.25;  // of a step
  const double first = static_cast<double>(table.thresholds[0]);
  const double step =
      (static_cast<double>(table.thresholds[table.count - 1]) - first) / static_cast<double>(table.count - 1);
  const double per_step = 1.0 / step;
  using Float = std::numeric_limits<float>;
  if (!(per_step >= static_cast<double>(Float::min()) && per_step <= static_cast<double>(Float::max())))
    return {};
  for (std::size_t l = 0; l < table.count; ++l) {
    const double expected = first + static_cast<double>(l) * step;
    if (!(std::fabs(static_cast<double>(table.thresholds[l]) - expected) <= kFarthest * step)) return {};
  }
  return {table.thresholds[0], static_cast<float>(per_step)};
}

/// The rank by a guess and two comparisons. The guess leaves out rank 0 and the last one, so that both lie
/// beside a threshold; what is no number compares as below all of them.
template <class V, class Column>
void map_spaced_table_column(const MapRows& a, const Spacing& spacing, std::size_t c, const Column& column) {
  const MapHead<V> head(a, c, column);
  const V one = V::broadcast(1.0F), last = V::broadcast(static_cast<float>(a.table.count - 1));
  const V first = V::broadcast(spacing.first), per_step = V::broadcast(spacing.per_step);
  for (std::size_t r = 0; r < a.block.rows; ++r) {
    const std::size_t at = r * a.block.channels + c;
    const V t = head(column.load(a.x + at));
    const V near = fma(sub(t, first), per_step, one);
    const V from_one = select(above(near, one), near, one);
    const V guess = truncated(select(above(last, from_one), from_one, last)), below = sub(guess, one);
    const V rank = select(above(t, lookup(a.table.thresholds, guess)), add(guess, one),
                          select(above(t, lookup(a.table.thresholds, below)), guess, below));
    column.store(a.y + at, lookup(a.table.levels, rank));
    if (a.ranks != nullptr) store_bytes(column, a.ranks + at, rank);
  }
}

template <class V>
void map_any_table(const MapRows& a) {
  if (a.above_count == nullptr && a.table.count >= V::kFewestSpaced) {
    const Spacing spacing = spacing_of(a.table);
    if (spacing.per_step > 0.0F) {
      return for_columns<V>(a.block.channels, [&](std::size_t c, const auto& column) {
        map_spaced_table_column<V>(a, spacing, c, column);
      });
    }
  }
  for_columns<V>(a.block.channels,
                 [&](std::size_t c, const auto& column) { map_any_table_column<V>(a, c, column); });
}

template <class V, std::size_t kCount>
void map_table(const MapRows& a) {
  constexpr bool kFitsRegisters = 2 * kCount + 1 <= V::kAccumulators;
  if (a.above_count == nullptr) {
    for_columns<V>(a.block.channels, [&](std::size_t c, const auto& column) {
      map_table_column<V, kCount, Statistics::No>(a, c, column);
    });
  } else if constexpr (kFitsRegisters) {
    for_columns<V>(a.block.channels, [&](std::size_t c, const auto& column) {
      map_table_column<V, kCount, Statistics::Yes>(a, c, column);
    });
  } else {
    map_any_table<V>(a);
  }
}

template <class V>
void map_rows(const MapRows& a) noexcept {
  if (a.table.count == 0) {
    return for_columns<V>(a.block.channels,
                          [&](std::size_t c, const auto& column) { map_plain_column<V>(a, c, column); });
  }
  if constexpr (V::kAccumulators > 0) {
    if (a.table.count == 1) return map_table<V, 1>(a);
    if (a.table.count == 3) return map_table<V, 3>(a);
  }
  map_any_table<V>(a);
}

}  // namespace
}  // namespace bitplane::kernels
