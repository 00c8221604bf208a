// SPDX-License-Identifier: Apache-2.0
//
// What both roles of the family do around their tiles: walking the pixels of a strip, and
// handing rows of results to the epilogue.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "bitplane/kernels/lowbit_conv.h"
#include "bitserial/gather.h"
#include "scratch_cutter.h"

namespace bitplane::kernels {

/// Where the results of consecutive output pixels go: floats, or the bare integers if z is null.
struct LutOutput {
  float* z = nullptr;
  std::int32_t* integers = nullptr;

  [[nodiscard]] LutOutput at(std::size_t offset) const noexcept {
    return {z == nullptr ? nullptr : z + offset, integers == nullptr ? nullptr : integers + offset};
  }
};

/// Calls f(segment, number of its first pixel) for pixels [first, first + count), counted from the first
/// pixel of output row `row` of the batch.
template <class F>
void for_segments(const ConvShape& shape, std::size_t row, std::size_t first, std::size_t count, F f) {
  const std::size_t width = shape.out_width(), height = shape.out_height();
  row += first / width;
  RowSegment segment{.picture = row / height, .y = row % height, .x = first % width};
  for (std::size_t at = 0; at < count; at += segment.count, segment.x = 0, ++segment.y) {
    if (segment.y == height) {
      segment.y = 0;
      ++segment.picture;
    }
    segment.count = std::min(width - segment.x, count - at);
    f(segment, at);
  }
}

/// `runner.run_rows(row, count, out)` for all of `rows`, at most `strip_rows` at a time.
template <class Runner>
void run_to_integers(const ConvShape& shape, RowRange rows, std::size_t strip_rows, std::int32_t* out,
                     const Runner& runner) {
  const std::size_t row_size = shape.out_width() * shape.out_channels;
  for (std::size_t row = rows.begin; row < rows.end; row += strip_rows) {
    runner.run_rows(row, std::min(strip_rows, rows.end - row),
                    LutOutput{.integers = out + (row - rows.begin) * row_size});
  }
}

/// The epilogue of a running convolution and the buffer that its rows pass through.
struct LutEpilogue {
  const EpilogueKernels& kernels;
  const Epilogue& epilogue;
  std::byte* row_results;  ///< [row][pixel][out channel], float or int32
};
template <class Runner>
void run_to_epilogue(const ConvShape& shape, RowRange rows, std::size_t strip_rows, const LutEpilogue& to,
                     const Runner& runner) {
  const std::size_t row_size = shape.out_width() * shape.out_channels;
  const bool integers = to.epilogue.integer.thresholds != nullptr;
  const LutOutput results{integers ? nullptr : reinterpret_cast<float*>(to.row_results),
                          integers ? reinterpret_cast<std::int32_t*>(to.row_results) : nullptr};
  for (std::size_t row = rows.begin; row < rows.end; row += strip_rows) {
    const std::size_t count = std::min(strip_rows, rows.end - row);
    runner.run_rows(row, count, results);
    for (std::size_t r = 0; r < count; ++r) {
      const LutOutput of_row = results.at(r * row_size);
      to.kernels.apply(to.epilogue, {.z = of_row.z,
                                     .integers = of_row.integers,
                                     .row = row + r,
                                     .pixels = shape.out_width(),
                                     .channels = shape.out_channels});
    }
  }
}

}  // namespace bitplane::kernels
