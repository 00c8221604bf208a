// SPDX-License-Identifier: Apache-2.0
//
// The micro-kernel of family `f32`, once for every ISA. Included by the per-ISA files only, each of which
// brings its vector vocabulary V: kLanes, Vector, Mask, mask(count), zero, broadcast, fma, load, store and
// their masked forms. Everything is in an anonymous namespace: compiled with -m flags, nothing here may be
// shared.
//
// The loops, outside in:
//
//   steps in blocks     of up to kMaxSteps; going on from c is the same chain of fma, so no bit changes
//   columns in blocks   so that the block of b (steps x columns) stays in the L2 cache while all rows pass by
//   rows in tiles       of up to V::kMaxRows, as equal as they can be (28 rows: 6 6 6 5 5, not 4 x 6 + 4);
//                       what a tile reads of a comes from afar once and stays in L1 for
//   columns in groups   of up to V::kMaxVectors vectors, which stream b out of L2 in order
//   the tile            kRows x kVectors accumulators in registers, one pass over the steps of the block
//
// Groups outside and rows inside (b in L1, a streaming) is 4 to 10 % slower on S1..S5 of the benchmark: it
// reads a once per group, and rows of a that lie 4 KiB apart meet in the same sets of the cache.
//
// What the generated code showed (GCC 12 -O3: the 6x4 AVX-512 and the 6x2 AVX2 tile read with objdump, the
// others searched for vector traffic on the stack):
// - accumulators stay in registers only when every index is a constant before scalar replacement runs, hence
//   unroll(). With `for` over rows GCC 12 copied the arrays through the stack around the inner loop (2060
//   stack accesses in the AVX-512 object, now none; 5 % slower on 28x28x16->32).
// - eight row pointers, the step table, b and its strides do not fit 16 general registers, six do. 6 x 4 need
//   10 loads for 24 fma where 8 x 3 need 11, and divide the usual 64, 128, 256 columns without a rest (S2,
//   S3, S5: 4 to 5 % faster than 8 x 3). 12 x 2 are 5 % slower than 8 x 2.
// - GCC writes the row pointers as `a` plus offsets, which takes an addition per row and step (AVX2: 33
//   instructions for 12 fma, now 25); the empty asm hides where they come from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "bitplane/kernels/f32.h"
#include "isa_unroll.h"

namespace bitplane::kernels {
namespace {

/// One tile's share of a GatherGemm: some rows, one group of columns, one block of steps.
struct TileJob {
  const float* a;
  const std::ptrdiff_t* row_offset;
  const std::ptrdiff_t* step_offset;
  const GatherStep* step_pairs;
  std::size_t steps;
  const float* b;  ///< first column of the group, first step (pairs: of all)
  std::size_t b_row_stride, b_panel_stride;
  float* c;                            ///< first column of the group
  const std::ptrdiff_t* c_row_offset;  ///< of the tile's rows; null: c_row_stride
  std::size_t c_row_stride;
  std::size_t last_lanes;  ///< valid columns of the group's last vector
  Accumulate accumulate;
};

/// Vectors of one panel.
template <class V>
constexpr std::size_t kPerPanel = kF32PanelWidth / V::kLanes;

/// Offset of vector v of a group from the group's first column; a group never straddles a panel's edge unless
/// it starts at one.
template <class V>
[[gnu::always_inline]] inline std::size_t vector_offset(std::size_t v, std::size_t panel_stride) {
  return v / kPerPanel<V> * panel_stride + v % kPerPanel<V> * V::kLanes;
}

inline float* row_of_c(const TileJob& job, std::size_t r) {
  return job.c + (job.c_row_offset != nullptr ? job.c_row_offset[r]
                                              : static_cast<std::ptrdiff_t>(r * job.c_row_stride));
}

/// Where a step reads: from a table of a's offsets, b row after row; or from pairs of both.
struct RowByRow {
  using Step = std::ptrdiff_t;
  static const Step* first(const TileJob& job) { return job.step_offset; }
  static std::ptrdiff_t a(const Step& step) { return step; }
  static const float* b(const TileJob&, const Step&, const float* next) { return next; }
};
struct Pairs {
  using Step = GatherStep;
  static const Step* first(const TileJob& job) { return job.step_pairs; }
  static std::ptrdiff_t a(const Step& step) { return step.a; }
  static const float* b(const TileJob& job, const Step& step, const float*) { return job.b + step.b; }
};

template <class V, class Steps, std::size_t kRows, std::size_t kVectors, bool kMasked>
void run_tile(const TileJob& job) {
  typename V::Vector acc[kRows][kVectors];
  const float* row[kRows];
  const typename V::Mask mask = V::mask(job.last_lanes);
  const auto masked = [](std::size_t v) { return kMasked && v + 1 == kVectors; };

  unroll<kRows>([&](auto r) __attribute__((always_inline)) {
    row[r] = job.a + job.row_offset[r];
    asm("" : "+r"(row[r]));
    const float* c = row_of_c(job, r);
    unroll<kVectors>([&](auto v) __attribute__((always_inline)) {
      if (job.accumulate == Accumulate::Overwrite) {
        acc[r][v] = V::zero();
      } else if (masked(v)) {
        acc[r][v] = V::load(c + v * V::kLanes, mask);
      } else {
        acc[r][v] = V::load(c + v * V::kLanes);
      }
    });
  });

  const float* next_b = job.b;
  const std::size_t b_row_stride = job.b_row_stride, b_panel_stride = job.b_panel_stride;
  const typename Steps::Step* const last = Steps::first(job) + job.steps;
  for (const typename Steps::Step* step = Steps::first(job); step != last; ++step) {
    const std::ptrdiff_t offset = Steps::a(*step);
    const float* const b = Steps::b(job, *step, next_b);
    typename V::Vector bv[kVectors];
    unroll<kVectors>([&](auto v) __attribute__((always_inline)) {
      const float* from = b + vector_offset<V>(v, b_panel_stride);
      bv[v] = masked(v) ? V::load(from, mask) : V::load(from);
    });
    unroll<kRows>([&](auto r) __attribute__((always_inline)) {
      const auto x = V::broadcast(row[r] + offset);
      unroll<kVectors>([&](auto v)
                           __attribute__((always_inline)) { acc[r][v] = V::fma(x, bv[v], acc[r][v]); });
    });
    next_b += b_row_stride;
  }

  unroll<kRows>([&](auto r) __attribute__((always_inline)) {
    float* c = row_of_c(job, r);
    unroll<kVectors>([&](auto v) __attribute__((always_inline)) {
      if (masked(v)) {
        V::store(c + v * V::kLanes, acc[r][v], mask);
      } else {
        V::store(c + v * V::kLanes, acc[r][v]);
      }
    });
  });
}

using RunTile = void (*)(const TileJob&);

/// run[rows - 1][vectors - 1][masked]
template <class V, class Steps>
struct TileTable {
  RunTile run[V::kMaxRows][V::kMaxVectors][2];

  template <std::size_t kRows, std::size_t... kVectors>
  constexpr void fill_row(std::index_sequence<kVectors...>) {
    ((run[kRows][kVectors][0] = run_tile<V, Steps, kRows + 1, kVectors + 1, false>,
      run[kRows][kVectors][1] = run_tile<V, Steps, kRows + 1, kVectors + 1, (V::kLanes > 1)>),
     ...);
  }
  template <std::size_t... kRows>
  constexpr void fill(std::index_sequence<kRows...>) {
    (fill_row<kRows>(std::make_index_sequence<V::kMaxVectors>{}), ...);
  }
  constexpr TileTable() : run{} { fill(std::make_index_sequence<V::kMaxRows>{}); }
};

constexpr std::size_t ceil_div(std::size_t a, std::size_t b) {
  return (a + b - 1) / b;
}
constexpr std::size_t smaller(std::size_t a, std::size_t b) {
  return a < b ? a : b;
}

constexpr std::size_t larger(std::size_t a, std::size_t b) {
  return a > b ? a : b;
}

/// Of one block. Every block reads and writes c once more, which comes from afar in a large product: 512
/// steps are 2 to 4 % slower on S1 and S5 and on weight gradients. More would take the rows of a out of the
/// L1 cache.
constexpr std::size_t kMaxSteps = 1024;
/// Of the block of b: 256 KiB, half of a small L2 cache.
constexpr std::size_t kBlockFloats = 64 * 1024;

/// Steps and vectors of columns, from first to before last.
struct Block {
  std::size_t first_step, last_step, first_vector, last_vector;
};

/// Where `total` things end up when they are cut into the fewest parts of at most `most`, as equal as
/// possible.
constexpr std::size_t equal_part(std::size_t total, std::size_t most) {
  return total == 0 ? 0 : ceil_div(total, ceil_div(total, most));
}

/// What the next tile reads or writes of c, while this one computes (1 % on S5; 8 % where there are few steps
/// and much of c: 49 x 4608 x 512). Columns [v, v + vectors), rows [row, row + rows) as far as they exist.
inline float* row_of_c(const GatherGemm& g, std::size_t r) {
  return g.c +
         (g.c_row_offset != nullptr ? g.c_row_offset[r] : static_cast<std::ptrdiff_t>(r * g.c_row_stride));
}

inline std::ptrdiff_t step_of_a(const GatherGemm& g, std::size_t step) {
  return g.step_pairs != nullptr ? g.step_pairs[step].a : g.step_offset[step];
}

template <class V>
void prefetch_c(const GatherGemm& g, std::size_t row, std::size_t rows, std::size_t v, std::size_t vectors) {
  constexpr std::size_t kLineFloats = 16;
  const std::size_t first = v * V::kLanes, last = smaller(g.columns, first + vectors * V::kLanes);
  for (std::size_t r = row; r < smaller(row + rows, g.rows); ++r) {
    for (std::size_t n = first; n < last; n += kLineFloats) {
      __builtin_prefetch(row_of_c(g, r) + n, 1);
    }
  }
}

/// The first lines of the next tile's rows of a, which the hardware prefetches only once it has seen them
/// (2.5 % on S1; more lines gain nothing). Short rows are done before it pays.
inline void prefetch_a(const GatherGemm& g, const Block& block, std::size_t row, std::size_t rows) {
  constexpr std::size_t kLineFloats = 16, kLines = 2, kLongRow = 256;
  if (block.last_step - block.first_step < kLongRow) return;
  for (std::size_t r = row; r < smaller(row + rows, g.rows); ++r) {
    for (std::size_t line = 0; line < kLines; ++line) {
      __builtin_prefetch(g.a + g.row_offset[r] + step_of_a(g, block.first_step + line * kLineFloats));
    }
  }
}

/// What one tile of rows passes by: one block of steps, one block of columns.
template <class V>
void run_row_tile(const GatherGemm& g, const Block& block, std::size_t row, std::size_t rows) {
  static constexpr TileTable<V, RowByRow> kTiles{};
  static constexpr TileTable<V, Pairs> kPairTiles{};
  static_assert(kPerPanel<V> == 1 || kPerPanel<V> % V::kMaxVectors == 0);
  for (std::size_t v = block.first_vector; v < block.last_vector;) {
    const std::size_t left = block.last_vector - v;
    // Panels side by side may be cut anywhere between vectors; parts of one panel only into whole groups.
    const std::size_t count =
        kPerPanel<V> == 1 ? equal_part(left, V::kMaxVectors) : smaller(left, V::kMaxVectors);
    if (v + count < block.last_vector) {
      prefetch_c<V>(g, row, rows, v + count, count);
    } else {
      prefetch_c<V>(g, row + rows, rows, block.first_vector, count);
      prefetch_a(g, block, row + rows, rows);
    }
    const std::size_t lanes = smaller(g.columns - (v + count - 1) * V::kLanes, V::kLanes);
    const bool pairs = g.step_pairs != nullptr;
    const RunTile run = pairs ? kPairTiles.run[rows - 1][count - 1][lanes != V::kLanes ? 1 : 0]
                              : kTiles.run[rows - 1][count - 1][lanes != V::kLanes ? 1 : 0];
    run({.a = g.a,
         .row_offset = g.row_offset + row,
         .step_offset = pairs ? nullptr : g.step_offset + block.first_step,
         .step_pairs = pairs ? g.step_pairs + block.first_step : nullptr,
         .steps = block.last_step - block.first_step,
         .b = g.b + (pairs ? 0 : block.first_step * g.b_row_stride) + vector_offset<V>(v, g.b_panel_stride),
         .b_row_stride = g.b_row_stride,
         .b_panel_stride = g.b_panel_stride,
         .c = (g.c_row_offset != nullptr ? g.c : g.c + row * g.c_row_stride) + v * V::kLanes,
         .c_row_offset = g.c_row_offset != nullptr ? g.c_row_offset + row : nullptr,
         .c_row_stride = g.c_row_stride,
         .last_lanes = lanes,
         .accumulate = block.first_step == 0 ? g.accumulate : Accumulate::Add});
    v += count;
  }
}

template <class V>
void gather_gemm(const GatherGemm& g) noexcept {
  // A single tile of rows reads b once, so it reads it in one go: matrix-vector products are bound by memory,
  // and streams that end early keep the prefetcher from getting ahead.
  const std::size_t vectors = ceil_div(g.columns, V::kLanes);
  const std::size_t most_steps = g.rows <= V::kMaxRows ? g.steps : equal_part(g.steps, kMaxSteps);
  std::size_t step = 0;
  do {
    const std::size_t last_step = smaller(step + most_steps, g.steps);
    // Whole panels: a group that starts in the middle of one would run over its edge.
    const std::size_t fitting = kBlockFloats / (V::kLanes * larger(1, last_step - step));
    const std::size_t most_vectors =
        ceil_div(equal_part(vectors, larger(V::kMaxVectors, fitting)), kPerPanel<V>) * kPerPanel<V>;
    for (std::size_t v = 0; v < vectors; v += most_vectors) {
      const Block block{step, last_step, v, smaller(v + most_vectors, vectors)};
      for (std::size_t row = 0; row < g.rows;) {
        const std::size_t rows = equal_part(g.rows - row, V::kMaxRows);
        run_row_tile<V>(g, block, row, rows);
        row += rows;
      }
    }
    step = last_step;
  } while (step < g.steps);
}

}  // namespace
}  // namespace bitplane::kernels
