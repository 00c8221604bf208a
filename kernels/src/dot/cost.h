// SPDX-License-Identifier: Apache-2.0
//
// What a convolution of family `dot` costs, from its shape and widths alone.
#pragma once

#include "bitplane/kernels/lowbit_conv.h"
#include "dot/geometry.h"

namespace bitplane::kernels {

/// The values of both sides.
[[nodiscard]] DotRanges value_ranges(const BitConvSpec& spec) noexcept;

/// Nanoseconds of one thread.
struct DotRates {
  double product = 0;    ///< one register of products added up
  double widened = 0;    ///< one register of sums from 16-bit lanes to 32-bit ones
  double tile = 0;       ///< starting and ending a tile, its sums' way to memory included
  double expanded = 0;   ///< one register of expanded weights, or of one plane of activations
  double row = 0;        ///< one row of pixels that is expanded
  double output = 0.15;  ///< one output's epilogue
  std::size_t tile_pixels = 1;
};

/// The spec is supported by `kernels`.
[[nodiscard]] double dot_cost(const DotKernels& kernels, const DotRates& rates,
                              const BitConvSpec& spec) noexcept;

}  // namespace bitplane::kernels
