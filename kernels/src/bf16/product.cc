// SPDX-License-Identifier: Apache-2.0
#include "bf16/product.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace bitplane::kernels {
namespace {

constexpr std::size_t kRegisterBytes = kBf16Lanes * kStepBytes;
/// Of the blocks of columns that rows pass by, half of a small L2 cache.
constexpr std::size_t kGroupBytes = 256 * 1024;

constexpr std::size_t ceil_div(std::size_t a, std::size_t b) {
  return (a + b - 1) / b;
}

/// The steps of all chunks but the last: as equal as whole segments allow.
std::size_t chunk_of(const Bf16Kernels& kernels, std::size_t steps) {
  const std::size_t parts = std::max<std::size_t>(1, ceil_div(steps, kernels.chunk_steps));
  return std::max<std::size_t>(1, ceil_div(ceil_div(steps, parts), kernels.segment_steps)) *
         kernels.segment_steps;
}

/// A block of columns: `registers` registers from register `first` on.
struct ColumnBlock {
  std::size_t first, registers;
};

template <class Body>
void for_each_block(const Bf16Kernels& kernels, std::size_t columns, Body&& body) {
  const std::size_t registers = ceil_div(columns, kBf16Lanes);
  for (std::size_t first = 0; first < registers; first += kernels.registers)
    body(ColumnBlock{first, std::min(kernels.registers, registers - first)});
}

/// Some chunk's share of a product.
struct Chunk {
  const DotSegment* segments;
  std::size_t segment_count, first_step, steps;
  bool first;
};

/// All rows of one panel and one block of columns.
struct PanelRows {
  const std::byte* const* windows;
  std::size_t first, count;
};

alignas(64) constexpr std::int32_t kZeros[kMaxBf16Registers * kBf16Lanes] = {};

void run_block(const Bf16Kernels& kernels, const Bf16Product& p, const Chunk& chunk, const PanelRows& rows,
               const ColumnBlock& block) {
  const std::size_t column = block.first * kBf16Lanes;
  const bool from_zero = chunk.first && p.accumulate == Accumulate::Overwrite;
  const std::byte* b = p.b + block.first * p.runs.steps(kernels) * kRegisterBytes;
  kernels.run_panel[block.registers - 1](
      {.pixels = rows.windows,
       .pixel_count = rows.count,
       .slack = p.slack,
       .segments = chunk.segments,
       .segment_count = chunk.segment_count,
       .weights = b + chunk.first_step * block.registers * kRegisterBytes,
       .start = from_zero ? kZeros : nullptr,
       .out = reinterpret_cast<std::byte*>(p.c + rows.first * p.c_row_stride + column),
       .out_stride = p.c_row_stride * sizeof(float),
       .channels = std::min(p.columns - column, block.registers * kBf16Lanes),
       .finish = DotFinish::Integers});
}

void run_chunk(const Bf16Kernels& kernels, const Bf16Product& p, const Chunk& chunk) {
  const std::size_t registers = ceil_div(p.columns, kBf16Lanes);
  const std::size_t block_bytes = std::max<std::size_t>(1, chunk.steps) * kernels.registers * kRegisterBytes;
  const std::size_t group = std::max<std::size_t>(1, kGroupBytes / block_bytes) * kernels.registers;
  for (std::size_t from = 0; from < registers; from += group) {
    const std::size_t to = std::min(registers, from + group);
    for (std::size_t row = 0; row < p.rows; row += kernels.row_block) {
      const std::byte* windows[kMaxBf16Rows];
      const std::size_t count = std::min(kernels.row_block, p.rows - row);
      for (std::size_t r = 0; r < count; ++r) windows[r] = p.a + p.row_offset[row + r];
      for (std::size_t first = from; first < to; first += kernels.registers) {
        run_block(kernels, p, chunk, {windows, row, count}, {first, std::min(kernels.registers, to - first)});
      }
    }
  }
}

/// Packs element pair `pair` of run `run` of `count` columns from the rows that `row_of(element)` gives.
template <class RowOf>
void pack_rows(const Bf16Kernels& kernels, const Bf16Runs& runs, std::size_t columns, const RowOf& row_of,
               std::byte* packed) {
  const std::size_t run_steps = runs.steps_of_one(kernels), steps = runs.steps(kernels);
  for (std::size_t step = 0; step < steps; ++step) {
    const std::size_t run = step / run_steps, e = step % run_steps * 2, t = run * runs.elements + e;
    const float* even = e < runs.elements ? row_of(t) : nullptr;
    const float* odd = e + 1 < runs.elements ? row_of(t + 1) : nullptr;
    for_each_block(kernels, columns, [&](const ColumnBlock& block) {
      const std::size_t column = block.first * kBf16Lanes;
      std::byte* to = packed + (block.first * steps + step * block.registers) * kRegisterBytes;
      const auto at = [&](const float* row) { return row == nullptr ? nullptr : row + column; };
      kernels.pair_rows(at(even), at(odd), std::min(columns - column, block.registers * kBf16Lanes),
                        reinterpret_cast<std::uint32_t*>(to));
    });
  }
}

/// One column whose elements lie side by side: its lane of every step.
void pack_column(const Bf16Kernels& kernels, const Bf16Runs& runs, const float* from, std::byte* lane,
                 std::size_t step_bytes) {
  constexpr std::size_t kPart = 256;
  std::uint16_t rounded[kPart];
  const std::size_t run_elements = runs.steps_of_one(kernels) * 2;
  for (std::size_t run = 0; run < runs.count; ++run, from += runs.elements) {
    for (std::size_t e = 0; e < run_elements; e += kPart) {
      const std::size_t part = std::min(kPart, run_elements - e);
      const std::size_t valid = std::min(part, runs.elements - std::min(runs.elements, e));
      kernels.round_row(from + e, valid, rounded);
      std::fill(rounded + valid, rounded + part, std::uint16_t{0});
      for (std::size_t i = 0; i < part; i += 2, lane += step_bytes)
        std::memcpy(lane, rounded + i, kStepBytes);
    }
  }
}

}  // namespace

std::size_t Bf16Runs::steps_of_one(const Bf16Kernels& kernels) const noexcept {
  return ceil_div(ceil_div(elements, 2), kernels.segment_steps) * kernels.segment_steps;
}

std::size_t Bf16Runs::most_segments(const Bf16Kernels& kernels) const noexcept {
  return count + steps(kernels) / chunk_of(kernels, steps(kernels)) + 1;
}

std::size_t cut_runs(const Bf16Kernels& kernels, const Bf16Runs& runs, const std::size_t* run_bytes,
                     DotSegment* segments) noexcept {
  const std::size_t chunk = chunk_of(kernels, runs.steps(kernels)), run_steps = runs.steps_of_one(kernels);
  std::size_t count = 0, left_of_chunk = chunk;
  for (std::size_t run = 0; run < runs.count; ++run) {
    const std::size_t begin = run_bytes == nullptr ? 0 : run_bytes[run];
    for (std::size_t step = 0; step < run_steps;) {
      const std::size_t taken = std::min(run_steps - step, left_of_chunk);
      segments[count++] = {.offset = begin + step * kStepBytes, .steps = taken};
      step += taken;
      left_of_chunk -= taken;
      if (left_of_chunk == 0) left_of_chunk = chunk;
    }
  }
  assert(count <= runs.most_segments(kernels));
  return count;
}

std::size_t packed_right_bytes(const Bf16Kernels& kernels, const Bf16Runs& runs,
                               std::size_t columns) noexcept {
  return runs.steps(kernels) * ceil_div(columns, kBf16Lanes) * kRegisterBytes;
}

void pack_right(const Bf16Kernels& kernels, const Bf16Runs& runs, const Bf16Right& right,
                std::byte* packed) noexcept {
  if (right.order == Bf16Order::StepMajor) {
    const auto row_of = [&](std::size_t t) { return right.data + t * right.leading; };
    return pack_rows(kernels, runs, right.columns, row_of, packed);
  }
  const std::size_t steps = runs.steps(kernels);
  for_each_block(kernels, right.columns, [&](const ColumnBlock& block) {
    std::byte* to = packed + block.first * steps * kRegisterBytes;
    const std::size_t step_bytes = block.registers * kRegisterBytes;
    for (std::size_t n = 0; n < block.registers * kBf16Lanes; ++n) {
      const std::size_t column = block.first * kBf16Lanes + n;
      if (column < right.columns) {
        pack_column(kernels, runs, right.data + column * right.leading, to + n * kStepBytes, step_bytes);
      } else {
        for (std::size_t s = 0; s < steps; ++s)
          std::memset(to + s * step_bytes + n * kStepBytes, 0, kStepBytes);
      }
    }
  });
}

void pack_right_rows(const Bf16Kernels& kernels, const Bf16Runs& runs, const float* const* rows,
                     std::size_t columns, std::byte* packed) noexcept {
  pack_rows(
      kernels, runs, columns, [&](std::size_t t) { return rows[t]; }, packed);
}

void run_product(const Bf16Kernels& kernels, const Bf16Product& p) noexcept {
  const std::size_t most = chunk_of(kernels, p.runs.steps(kernels));
  if (kernels.begin != nullptr) kernels.begin();
  Chunk chunk{.segments = p.segments, .segment_count = 0, .first_step = 0, .steps = 0, .first = true};
  const DotSegment* const end = p.segments + p.segment_count;
  do {
    while (chunk.steps < most && chunk.segments + chunk.segment_count != end)
      chunk.steps += chunk.segments[chunk.segment_count++].steps;
    run_chunk(kernels, p, chunk);
    chunk = {.segments = chunk.segments + chunk.segment_count,
             .segment_count = 0,
             .first_step = chunk.first_step + chunk.steps,
             .steps = 0,
             .first = false};
  } while (chunk.segments != end);
  if (kernels.end != nullptr) kernels.end();
}

}  // namespace bitplane::kernels
