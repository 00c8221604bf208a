// SPDX-License-Identifier: Apache-2.0
//
// The windows of output pixels, taps packed densely: [plane][kernel row][kernel column][granule], each plane
// padded with zeros to whole words. The packed weights have the same order (pack_weights.h).
#pragma once

#include <cstddef>

#include "bitplane/kernels/conv_shape.h"
#include "bitplane/kernels/planes.h"
#include "bitserial/border.h"

namespace bitplane::kernels {

[[nodiscard]] constexpr std::size_t window_words(const ConvShape& shape,
                                                 const ActivationLayout& layout) noexcept {
  return words_for_bits(shape.taps() * layout.pixel_bits());
}

/// Output pixels [x, x + count) of one output row.
struct RowSegment {
  std::size_t picture = 0, y = 0, x = 0, count = 0;
};

/// Gathers group `group` of the segment's windows into `windows`: [pixel][plane][word]; padded taps are zero.
void gather_windows(const ConvShape& shape, const BorderClasses& border, const PackedActivations& input,
                    std::size_t group, const RowSegment& segment, std::byte* windows) noexcept;

}  // namespace bitplane::kernels
