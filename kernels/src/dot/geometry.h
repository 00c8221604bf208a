// SPDX-License-Identifier: Apache-2.0
//
// What follows from a convolution's shape and values alone: the kernel's operands that hold them, and how
// windows lie in the expanded picture (panel.h has the words: element, step, segment, chunk).
//
// The expanded picture of a strip holds, for one group, the input rows that its output rows read, one after
// the other, each with its padded columns: [row][padded column][channel of the group]. With columns side by
// side, a kernel row of a window is one run of kernel_w * channels elements, filled up to whole steps only at
// its end; with dilated columns every tap is a run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "bitplane/kernels/conv_shape.h"
#include "bitplane/kernels/planes.h"
#include "dot/panel.h"

namespace bitplane::kernels {

/// The values of one side over all codes.
[[nodiscard]] ValueRange value_range(Encoding encoding, std::span<const std::int32_t> multiples) noexcept;

struct DotRanges {
  ValueRange weights, activations;
};
/// The first format of `kernels` whose operands hold these values; null: none.
[[nodiscard]] const DotFormat* choose_format(const DotKernels& kernels, const DotRanges& ranges) noexcept;
/// What activations are increased by, so that they fit.
[[nodiscard]] std::int32_t activation_offset(const DotFormat& format, ValueRange activations) noexcept;
/// Steps that a lane may add up: each adds two products to every 16-bit half of it.
[[nodiscard]] std::size_t lane_steps(const DotFormat& format, const DotRanges& ranges) noexcept;

struct DotGeometry {
  const DotKernels* kernels = nullptr;
  const DotFormat* format = nullptr;
  ConvShape shape;

  [[nodiscard]] std::size_t group_channels() const noexcept { return shape.channels / shape.groups; }
  [[nodiscard]] std::size_t group_outputs() const noexcept { return shape.out_channels / shape.groups; }
  [[nodiscard]] std::size_t pixel_bytes() const noexcept { return group_channels() * format->element_bytes; }
  /// Bytes of a row of the expanded picture.
  [[nodiscard]] std::size_t row_bytes() const noexcept {
    return (shape.width + 2 * shape.pad_w) * pixel_bytes();
  }
  /// Input rows that one output row spans.
  [[nodiscard]] std::size_t span_rows() const noexcept { return shape.dilation_h * (shape.kernel_h - 1) + 1; }
  [[nodiscard]] std::size_t input_rows(std::size_t output_rows) const noexcept {
    return (output_rows - 1) * shape.stride_h + span_rows();
  }
  /// A group's output channels, padded to whole registers.
  [[nodiscard]] std::size_t stride() const noexcept {
    return (group_outputs() + kernels->lanes - 1) / kernels->lanes * kernels->lanes;
  }
  /// Registers of the widest block of channels.
  [[nodiscard]] std::size_t most_registers() const noexcept;
  /// Output rows of a strip.
  [[nodiscard]] std::size_t strip_rows() const noexcept;
};

/// Runs of a window that lie side by side.
struct DotRuns {
  std::size_t count = 0;
  std::size_t elements = 0;  ///< of each
  std::size_t steps = 0;     ///< of each, filled up
};
[[nodiscard]] DotRuns runs_of(const DotGeometry& geometry) noexcept;
/// Bytes from the start of a window to a run.
[[nodiscard]] std::size_t run_offset(const DotGeometry& geometry, std::size_t run) noexcept;
/// Steps of a chunk at most: the cache bounds it, and the lanes where sums are widened at its end.
[[nodiscard]] std::size_t chunk_steps(const DotGeometry& geometry, const DotRanges& ranges) noexcept;

}  // namespace bitplane::kernels
