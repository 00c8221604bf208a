// SPDX-License-Identifier: Apache-2.0
//
// Everything of a convolution of family `dot` that is made once (panel.h has the words: element, step,
// segment, chunk).
//
// The expanded picture of a strip holds, for one group, the input rows that its output rows read, one after
// the other, each with its padded columns: [row][padded column][channel of the group]. With columns side by
// side, a kernel row of a window is one run of kernel_w * channels elements, filled up to whole steps only at
// its end; with dilated columns every tap is a run.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bitplane/kernels/aligned.h"
#include "bitplane/kernels/conv_shape.h"
#include "bitplane/kernels/lowbit_conv.h"
#include "dot/panel.h"

namespace bitplane::kernels {

struct DotChunk {
  std::size_t first_segment = 0, segments = 0;
  std::size_t first_step = 0, steps = 0;
};

struct DotBlock {
  std::size_t first = 0;           ///< channel of the group
  std::size_t channels = 0;        ///< valid ones
  std::size_t register_index = 0;  ///< into register_sizes
};

/// Elements of the activations: value + offset, offset being what makes them fit the kernel's operand.
struct DotElements {
  std::int32_t offset = 0;
  std::uint16_t base = 0;  ///< all bits 0
  std::array<std::uint16_t, kMaxActivationPlanes> steps{};
};

struct PackedDot {
  const DotKernels* kernels = nullptr;
  const DotFormat* format = nullptr;
  ConvShape shape;
  DotElements elements;
  std::vector<std::byte> padding;  ///< [channel]: a padded pixel; empty: elements.offset
  std::vector<DotSegment> segments;
  std::vector<DotChunk> chunks;
  std::vector<DotBlock> blocks;
  std::size_t stride = 0;               ///< channels of a group, padded to whole registers
  std::size_t code_bits = 8;            ///< of a packed weight; 8: elements as they are
  std::array<std::byte, 16> values{};   ///< of the codes
  AlignedArray<std::byte> weights;      ///< [group][block][chunk]
  std::vector<std::size_t> weights_at;  ///< bytes, [group][block][chunk]
  AlignedArray<std::int32_t> start;     ///< [group][stride]
  std::size_t strip_rows = 1;           ///< output rows that are worked on at a time

  [[nodiscard]] std::size_t group_channels() const noexcept { return shape.channels / shape.groups; }
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
  [[nodiscard]] std::size_t bytes() const noexcept { return weights.bytes() + start.bytes(); }
};

/// The values of one side over all codes.
[[nodiscard]] ValueRange value_range(Encoding encoding, std::span<const std::int32_t> multiples) noexcept;
/// The first format of `kernels` whose operands hold these values; null: none.
[[nodiscard]] const DotFormat* choose_format(const DotKernels& kernels, ValueRange weights,
                                             ValueRange activations) noexcept;

/// Integer weights and what the activations may be.
struct DotOperands {
  std::vector<std::int16_t> weights;  ///< [out channel][K]
  ValueRange weight_range, activation_range;
};
/// A format exists. Throws std::bad_alloc.
[[nodiscard]] PackedDot pack_dot(const DotKernels& kernels, const ConvShape& shape,
                                 const DotOperands& operands);

}  // namespace bitplane::kernels
