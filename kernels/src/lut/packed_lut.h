// SPDX-License-Identifier: Apache-2.0
//
// Everything of a LutConv that is made once: weights as indices, the tables' parts, the plan of the strips.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bitplane/kernels/aligned.h"
#include "bitplane/kernels/lowbit_conv.h"
#include "bitserial/border.h"
#include "lut/lut_tile.h"

namespace bitplane::kernels {

/// Registers that are finished together (lut_tile.h); the same in every group of the convolution.
struct LutUnit {
  std::size_t first_channel = 0, channels = 0;  ///< of the group
  std::size_t registers = 0;
  std::size_t indices = 0;  ///< where its indices begin: [tile][step][register of the tile][lane]
};

struct PackedLutConv {
  std::size_t words = 0;              ///< of one window and plane
  bool in_place = false;              ///< 1x1 windows of whole words are read where they lie
  std::size_t parts = 0, groups = 0;  ///< groups padded to what the inner loop takes
  std::size_t widen_every = 0;        ///< groups whose sums fit a byte
  std::size_t chunk_groups = 0;       ///< groups whose sums fit 16 bits
  std::size_t part_stride = 0;        ///< codes of one part of a pixel
  std::vector<std::int32_t> factors;  ///< [weight plane] of the sums in A
  std::vector<std::int32_t> activation_multiples;
  std::int32_t window_factor = 0;  ///< of the window's sum in A: bipolar weights
  std::size_t group_channels = 0;  ///< output channels of one group of the convolution
  std::vector<LutUnit> units;
  std::size_t group_indices = 0;  ///< bytes of one group's indices
  AlignedArray<std::uint8_t> indices, tables;
  BorderClasses border;
  std::size_t strip_rows = 1;    ///< output rows whose results are held before the epilogue takes them
  std::size_t strip_pixels = 1;  ///< output pixels that are encoded at a time

  [[nodiscard]] std::size_t plane_stride(const ActivationLayout& layout) const noexcept {
    return in_place ? layout.plane_stride() : words * sizeof(std::uint64_t);
  }
  [[nodiscard]] std::size_t pixel_codes() const noexcept { return parts * part_stride; }
};

[[nodiscard]] bool activation_tables_support(const LutLayout& lut, const BitConvSpec& spec) noexcept;
/// Throws std::bad_alloc.
[[nodiscard]] PackedLutConv make_packed_lut(const LutLayout& lut, const BitConvSpec& spec,
                                            const ActivationLayout& input);

}  // namespace bitplane::kernels
