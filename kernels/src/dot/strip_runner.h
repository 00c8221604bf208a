// SPDX-License-Identifier: Apache-2.0
//
// Runs a packed convolution strip by strip. `Source` gives the rows of the input picture as elements:
//
//   void expand(RowAt, std::byte* to) const noexcept    width * channels of the group, overrun < kDotSlack
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "bitplane/kernels/epilogue.h"
#include "dot/packed_dot.h"

namespace bitplane::kernels {

struct DotRowAt {
  std::size_t picture = 0, row = 0, group = 0;
};

/// The arrays of a strip, cut from the caller's scratch.
struct DotScratch {
  std::byte* picture = nullptr;        ///< expanded rows
  std::byte* weights = nullptr;        ///< one expanded chunk
  const std::byte** pixels = nullptr;  ///< [pixel]
  std::byte* results = nullptr;        ///< [row][pixel][out channel], 4 bytes each
  std::size_t bytes = 0;               ///< all of it
};
/// With base = null only `bytes` means anything.
[[nodiscard]] DotScratch cut_scratch(const PackedDot& packed, std::byte* base) noexcept;

/// Fills `count` padded pixels of `group`.
void fill_padding(const PackedDot& packed, std::size_t group, std::size_t count, std::byte* to) noexcept;
/// Does any window of `output_rows` rows read input row `row` of those that they span?
[[nodiscard]] bool row_is_read(const ConvShape& shape, std::size_t output_rows, std::size_t row) noexcept;
/// Output rows [row, row + count) over the batch and what becomes of them.
struct DotStrip {
  std::size_t row = 0, count = 0;
  DotFinish finish = DotFinish::Integers;
  std::byte* out = nullptr;  ///< [row][pixel][out channel], 4 bytes each
};
/// Multiplies: all blocks and chunks of one group.
void multiply_group(const PackedDot& packed, std::size_t group, const DotStrip& strip,
                    const DotScratch& scratch) noexcept;

template <class Source>
class DotRunner {
 public:
  DotRunner(const PackedDot& packed, const Source& source, std::byte* scratch)
      : packed_(packed),
        source_(source),
        scratch_(cut_scratch(packed, scratch)),
        strip_rows_(packed.strip_rows()) {
    if (packed.kernels->begin != nullptr) packed.kernels->begin();
  }
  ~DotRunner() {
    if (packed_.kernels->end != nullptr) packed_.kernels->end();
  }
  DotRunner(const DotRunner&) = delete;
  DotRunner& operator=(const DotRunner&) = delete;

  void run(RowRange rows, const EpilogueKernels& epilogues, const Epilogue& epilogue) noexcept {
    const std::size_t width = packed_.shape.out_width(), channels = packed_.shape.out_channels;
    const bool integers = epilogue.kind != EpilogueKind::Float && epilogue.integer.thresholds != nullptr;
    for (std::size_t row = rows.begin; row < rows.end; row += strip_rows_) {
      const std::size_t count = std::min(strip_rows_, rows.end - row);
      run_strip({row, count, integers ? DotFinish::Integers : DotFinish::Floats, scratch_.results});
      for (std::size_t r = 0; r < count; ++r) {
        const std::byte* results = scratch_.results + r * width * channels * sizeof(std::int32_t);
        EpilogueRow out{.row = row + r, .pixels = width, .channels = channels};
        if (integers) {
          out.integers = reinterpret_cast<const std::int32_t*>(results);
        } else {
          out.z = reinterpret_cast<const float*>(results);
        }
        epilogues.apply(epilogue, out);
      }
    }
  }

  void run_integer(RowRange rows, std::int32_t* out) noexcept {
    const std::size_t row_size = packed_.shape.out_width() * packed_.shape.out_channels;
    for (std::size_t row = rows.begin; row < rows.end; row += strip_rows_) {
      run_strip({row, std::min(strip_rows_, rows.end - row), DotFinish::Integers,
                 reinterpret_cast<std::byte*>(out + (row - rows.begin) * row_size)});
    }
  }

 private:
  void run_strip(const DotStrip& strip) noexcept {
    for (std::size_t group = 0; group < packed_.shape.groups; ++group) {
      expand_strip(strip.row, strip.count, group, keep_rows(strip.row));
      multiply_group(packed_, group, strip, scratch_);
    }
  }

  /// The input rows of output rows [row, row + count), picture after picture, and where the windows start.
  /// `kept` rows at the beginning are there already.
  void expand_strip(std::size_t row, std::size_t count, std::size_t group, std::size_t kept) noexcept {
    const ConvShape& shape = packed_.shape;
    const std::size_t height = shape.out_height(), row_bytes = packed_.row_bytes();
    const bool all_read = shape.stride_h == 1 && shape.dilation_h == 1;
    std::byte* to = scratch_.picture;
    const std::byte** pixel = scratch_.pixels;
    for (std::size_t r = row; r < row + count;) {
      const std::size_t y = r % height, rows = std::min(height - y, row + count - r);
      const std::size_t inputs = packed_.input_rows(rows);
      for (std::size_t i = 0; i < rows; ++i) {
        const std::byte* window = to + i * shape.stride_h * row_bytes;
        for (std::size_t x = 0; x < shape.out_width(); ++x) {
          *pixel++ = window + x * shape.stride_w * packed_.pixel_bytes();
        }
      }
      for (std::size_t i = 0; i < inputs; ++i, to += row_bytes) {
        if (i >= kept && (all_read || row_is_read(shape, rows, i)))
          expand_row({.picture = r / height, .row = y * shape.stride_h + i, .group = group}, to);
      }
      r += rows;
      kept = 0;
      last_ = {.next = r, .end = to};
    }
  }

  /// If the strip from `row` on continues the last one: moves the input rows that both read to the beginning
  /// and returns their number. Several groups take turns in one buffer, and dilated rows were not all read.
  std::size_t keep_rows(std::size_t row) noexcept {
    const ConvShape& shape = packed_.shape;
    if (row != last_.next || row % shape.out_height() == 0 || shape.groups != 1 || shape.dilation_h != 1 ||
        shape.kernel_h <= shape.stride_h)
      return 0;
    const std::size_t kept = shape.kernel_h - shape.stride_h, bytes = kept * packed_.row_bytes();
    std::memmove(scratch_.picture, last_.end - bytes, bytes);
    return kept;
  }

  /// `at.row` counts padded rows.
  void expand_row(const DotRowAt& at, std::byte* to) const noexcept {
    const ConvShape& shape = packed_.shape;
    if (at.row < shape.pad_h || at.row >= shape.pad_h + shape.height) {
      return fill_padding(packed_, at.group, shape.width + 2 * shape.pad_w, to);
    }
    const std::size_t pixel_bytes = packed_.pixel_bytes();
    if (shape.pad_w != 0) fill_padding(packed_, at.group, shape.pad_w, to);
    source_.expand({at.picture, at.row - shape.pad_h, at.group}, to + shape.pad_w * pixel_bytes);
    if (shape.pad_w != 0)
      fill_padding(packed_, at.group, shape.pad_w, to + (shape.pad_w + shape.width) * pixel_bytes);
  }

  const PackedDot& packed_;
  /// What expand_strip left of the last picture of a strip.
  struct LastPicture {
    std::size_t next = 0;  ///< the output row behind it
    const std::byte* end = nullptr;
  };

  const Source& source_;
  DotScratch scratch_;
  std::size_t strip_rows_;
  LastPicture last_;
};

}  // namespace bitplane::kernels
