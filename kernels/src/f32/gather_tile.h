// SPDX-License-Identifier: Apache-2.0
//
// The micro-kernel of family `f32`, once for every ISA. Included by the per-ISA files only, each of which
// brings its vector vocabulary V: kLanes, Vector, Mask, mask(count), zero, broadcast, fma, load, store and
// their masked forms. Everything is in an anonymous namespace: compiled with -m flags, nothing here may be
// shared.
//
// The loops, outside in:
//
//   steps in blocks     the block of b that one column group needs stays in the L1 cache while all rows pass
//   by;
//                       continuing from c is the same chain of fma, so the blocks change no bit
//   columns in groups   of up to V::kMaxVectors vectors
//   rows in tiles       of up to V::kMaxRows, as equal as they can be (28 rows are 4 x 7, not 3 x 8 + 4)
//   the tile            kRows x kVectors accumulators in registers, one pass over the steps of the block
//
// What the generated code showed (GCC 12 -O3: the 8x3 AVX-512 tile read with objdump, the others searched for
// vector traffic on the stack):
// - accumulators stay in registers only when every index is a constant before scalar replacement runs, hence
//   unroll(). With `for` over rows GCC 12 copied the arrays through the stack around the inner loop (2060
//   stack accesses in the AVX-512 object, now none; 5 % slower on 28x28x16->32).
// - eight row pointers, the step table, b and its strides do not quite fit 16 general registers: two are
// reloaded
//   each step, which 24 fma hide. 12 rows x 2 vectors reload more and are 5 % slower than 8 x 2.
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
  std::size_t steps;
  const float* b;  ///< first step, first column of the group
  std::size_t b_row_stride, b_panel_stride;
  float* c;
  std::size_t c_row_stride;
  std::size_t last_lanes;  ///< valid columns of the group's last vector
  Accumulate accumulate;
};

/// Offset of vector v of a group from the group's first column; a group never straddles a panel's edge unless
/// it starts at one.
template <class V>
[[gnu::always_inline]] inline std::size_t vector_offset(std::size_t v, std::size_t panel_stride) {
  constexpr std::size_t kPerPanel = kF32PanelWidth / V::kLanes;
  return v / kPerPanel * panel_stride + v % kPerPanel * V::kLanes;
}

template <class V, std::size_t kRows, std::size_t kVectors, bool kMasked>
void run_tile(const TileJob& job) {
  typename V::Vector acc[kRows][kVectors];
  const float* row[kRows];
  const typename V::Mask mask = V::mask(job.last_lanes);
  const auto masked = [](std::size_t v) { return kMasked && v + 1 == kVectors; };

  unroll<kRows>([&](auto r) __attribute__((always_inline)) {
    row[r] = job.a + job.row_offset[r];
    const float* c = job.c + r * job.c_row_stride;
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

  const float* b = job.b;
  const std::size_t b_row_stride = job.b_row_stride, b_panel_stride = job.b_panel_stride;
  const std::ptrdiff_t* const last = job.step_offset + job.steps;
  for (const std::ptrdiff_t* step = job.step_offset; step != last; ++step) {
    const std::ptrdiff_t offset = *step;
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
    b += b_row_stride;
  }

  unroll<kRows>([&](auto r) __attribute__((always_inline)) {
    float* c = job.c + r * job.c_row_stride;
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
template <class V>
struct TileTable {
  RunTile run[V::kMaxRows][V::kMaxVectors][2];

  template <std::size_t kRows, std::size_t... kVectors>
  constexpr void fill_row(std::index_sequence<kVectors...>) {
    ((run[kRows][kVectors][0] = run_tile<V, kRows + 1, kVectors + 1, false>,
      run[kRows][kVectors][1] = run_tile<V, kRows + 1, kVectors + 1, (V::kLanes > 1)>),
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

/// Where `total` things end up when they are cut into the fewest parts of at most `most`, as equal as
/// possible.
constexpr std::size_t equal_part(std::size_t total, std::size_t most) {
  return total == 0 ? 0 : ceil_div(total, ceil_div(total, most));
}

/// Passes the tiles of all rows over one group of columns. `job` is the group's, its first row.
template <class V>
void run_rows(TileJob job, std::size_t rows, const RunTile (*by_rows)[V::kMaxVectors][2], std::size_t vectors,
              bool masked) {
  while (rows > 0) {
    const std::size_t tile = equal_part(rows, V::kMaxRows);
    by_rows[tile - 1][vectors - 1][masked ? 1 : 0](job);
    rows -= tile;
    job.row_offset += tile;
    job.c += tile * job.c_row_stride;
  }
}

/// All rows by all columns for `steps` steps from `step` on.
template <class V>
void run_step_block(const GatherGemm& g, std::size_t step, std::size_t steps) {
  static constexpr TileTable<V> kTiles{};
  constexpr std::size_t kPerPanel = kF32PanelWidth / V::kLanes;
  static_assert(kPerPanel == 1 || kPerPanel % V::kMaxVectors == 0);
  const std::size_t vectors = ceil_div(g.columns, V::kLanes);
  // Panels side by side may be cut anywhere between vectors; parts of one panel only into whole groups.
  const std::size_t group = kPerPanel == 1 ? equal_part(vectors, V::kMaxVectors) : V::kMaxVectors;
  for (std::size_t v = 0; v < vectors; v += group) {
    const std::size_t count = smaller(group, vectors - v);
    const std::size_t lanes = smaller(g.columns - (v + count - 1) * V::kLanes, V::kLanes);
    const TileJob job{.a = g.a,
                      .row_offset = g.row_offset,
                      .step_offset = g.step_offset + step,
                      .steps = steps,
                      .b = g.b + step * g.b_row_stride + vector_offset<V>(v, g.b_panel_stride),
                      .b_row_stride = g.b_row_stride,
                      .b_panel_stride = g.b_panel_stride,
                      .c = g.c + v * V::kLanes,
                      .c_row_stride = g.c_row_stride,
                      .last_lanes = lanes,
                      .accumulate = step == 0 ? g.accumulate : Accumulate::Add};
    run_rows<V>(job, g.rows, kTiles.run, count, lanes != V::kLanes);
  }
}

template <class V>
void gather_gemm(const GatherGemm& g) noexcept {
  // Floats of b that one column group touches per block of steps: 24 KiB of a 32 KiB L1. A single tile of
  // rows reads b once, so it reads it in one go: matrix-vector products are bound by memory, and streams that
  // end after 8 KiB keep the prefetcher from getting ahead.
  constexpr std::size_t kBlockFloats = 6 * 1024;
  const std::size_t block = g.rows <= V::kMaxRows ? g.steps : kBlockFloats / (V::kMaxVectors * V::kLanes);
  std::size_t step = 0;
  do {
    const std::size_t steps = smaller(block, g.steps - step);
    run_step_block<V>(g, step, steps);
    step += steps;
  } while (step < g.steps);
}

}  // namespace
}  // namespace bitplane::kernels
