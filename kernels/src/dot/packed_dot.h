// SPDX-License-Identifier: Apache-2.0
//
// Everything of a convolution of family `dot` that is made once (panel.h has the words: element, step,
// segment, chunk).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "bitplane/kernels/aligned.h"
#include "bitplane/kernels/conv_shape.h"
#include "bitplane/kernels/planes.h"
#include "bitserial/border.h"
#include "dot/geometry.h"

namespace bitplane::kernels {

struct DotChunk {
  std::size_t first_segment = 0, segments = 0;
  std::size_t first_step = 0, steps = 0;
  IndexRange kernel_rows;  ///< that it is of
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

struct PackedDot : DotGeometry {
  DotElements elements;
  std::vector<std::byte> padding;  ///< [channel]: a padded pixel; empty: elements.offset
  std::size_t lane_steps = 0;      ///< see lane_steps()
  std::vector<DotSegment> segments;
  std::vector<DotChunk> chunks;
  std::vector<DotBlock> blocks;
  /// [output row of a picture]: its other chunks meet padded rows alone, whose elements are zero. Empty:
  /// every row takes all chunks.
  std::vector<IndexRange> chunks_of_row;
  std::size_t code_bits = 8;            ///< of a packed weight; 8: elements as they are
  std::array<std::byte, 16> values{};   ///< of the codes
  AlignedArray<std::byte> weights;      ///< [group][block][chunk]
  std::vector<std::size_t> weights_at;  ///< bytes, [group][block][chunk]
  AlignedArray<std::int32_t> start;     ///< [group][stride()]

  /// Bytes of the expanded picture behind its last window.
  [[nodiscard]] std::size_t slack() const noexcept {
    return kernels->slack_pixels * shape.stride_w * pixel_bytes();
  }
  [[nodiscard]] std::size_t bytes() const noexcept { return weights.bytes() + start.bytes(); }
};

/// Integer weights and what the activations may be.
struct DotOperands {
  std::vector<std::int16_t> weights;  ///< [out channel][K]
  DotRanges ranges;
  const std::uint8_t* zero = nullptr;  ///< [channels]: what counts 0, also a padded pixel; null: 0
};
/// A format exists. Throws std::bad_alloc.
[[nodiscard]] PackedDot pack_dot(const DotKernels& kernels, const ConvShape& shape,
                                 const DotOperands& operands);

}  // namespace bitplane::kernels
