// SPDX-License-Identifier: Apache-2.0
//
// The window of an output pixel, taps packed densely: [plane][kernel row][kernel column][granule], each plane
// padded with zeros to whole words. The packed weights have the same order (pack_weights.h).
#pragma once

#include <cstddef>

#include "bitplane/kernels/conv_shape.h"
#include "bitplane/kernels/planes.h"

namespace bitplane::kernels {

[[nodiscard]] constexpr std::size_t window_words(const ConvShape& shape,
                                                 const ActivationLayout& layout) noexcept {
  return words_for_bits(shape.taps() * layout.pixel_bits());
}

struct OutputPixel {
  std::size_t picture = 0, y = 0, x = 0;
};

/// Gathers group `group` of the window of `pixel` into `window`; padded taps are zero.
void gather_window(const ConvShape& shape, const PackedActivations& input, std::size_t group,
                   const OutputPixel& pixel, std::byte* window) noexcept;

}  // namespace bitplane::kernels
