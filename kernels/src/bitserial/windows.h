// SPDX-License-Identifier: Apache-2.0
//
// Where the micro-kernels read the windows of output pixels. A window is a pointer, and its words lie at the
// same offsets from it in all windows of a convolution: no window is copied where the pixels are whole words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bitplane/kernels/conv_shape.h"
#include "bitplane/kernels/planes.h"

namespace bitplane::kernels {

enum class WindowSource : std::uint8_t {
  Picture,     ///< whole words and no padding: where they lie
  PaddedRows,  ///< whole words: in a copy of the rows that some output rows need, padding included
  Gathered,    ///< 16 or 32 bits per pixel: put together one by one, taps packed densely (gather.h)
};

struct WindowLayout {
  WindowSource source = WindowSource::Gathered;
  std::size_t words = 0;                  ///< of one window and plane
  std::size_t row_bytes = 0;              ///< of the picture or of a padded row; none if gathered
  std::size_t plane_stride = 0;           ///< bytes from one plane of a window to the next
  std::vector<std::size_t> word_offsets;  ///< bytes from the start of a window's plane: [words]
};

/// Throws std::bad_alloc.
[[nodiscard]] WindowLayout make_window_layout(const ConvShape& shape, const ActivationLayout& input);

/// Output rows [row, row + rows), counted over the batch.
struct OutputRows {
  std::size_t row = 0, rows = 0;
};
/// The padded rows that so many output rows need at most, wherever they start.
[[nodiscard]] std::size_t most_padded_rows(const ConvShape& shape, std::size_t output_rows) noexcept;
/// Copies what `output` needs of all groups and planes: [padded row][group][plane][padded width], the rows of
/// one picture behind those of another.
void copy_padded_rows(const ConvShape& shape, const PackedActivations& input, const WindowLayout& windows,
                      const OutputRows& output, std::byte* to) noexcept;
/// Where in the copy the first tap row of output row `output.row + index` is.
[[nodiscard]] std::size_t padded_row_of(const ConvShape& shape, const OutputRows& output,
                                        std::size_t index) noexcept;

}  // namespace bitplane::kernels
