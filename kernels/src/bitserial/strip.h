// SPDX-License-Identifier: Apache-2.0
//
// A strip: some tens of consecutive output pixels (over the ends of rows) of one group, prepared for the
// micro-kernels: pointers to their windows and what the terms and offsets need per pixel.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bitplane/kernels/bitserial.h"
#include "bitserial/packed_conv.h"
#include "bitserial/tile.h"

namespace bitplane::kernels {

/// What every part of a running convolution looks at.
struct ConvView {
  const ConvShape& shape;
  const PackedBitConv& packed;
  const PackedActivations& input;
};

/// The arrays of a strip and of the rows that it belongs to, cut from the caller's scratch.
struct StripScratch {
  std::byte* windows = nullptr;                  ///< gathered [pixel][plane][word], or padded rows
  const std::byte** pixels = nullptr;            ///< [pixel]
  const std::int32_t** channel_terms = nullptr;  ///< [pixel]
  const float** weight_sums = nullptr;           ///< [pixel]
  std::int32_t* pixel_terms = nullptr;           ///< [pixel][term]
  float* activation_sums = nullptr;              ///< [pixel]
  std::int32_t* counts = nullptr;                ///< S_j: [pixel][plane]; for weight offsets
  float* z = nullptr;                            ///< [row][pixel][out channel]
  std::int32_t* integers = nullptr;              ///< the same memory, where the epilogue takes integers
  std::byte* passed = nullptr;                   ///< the same memory: less than 32 bits per output
  std::size_t bytes = 0;                         ///< all of it
};
/// With base = null only `bytes` means anything.
[[nodiscard]] StripScratch cut_scratch(const ConvShape& shape, const PackedBitConv& packed,
                                       std::size_t planes, std::byte* base) noexcept;

/// Pixels [first, first + count), counted from the first pixel of `rows`.
struct StripRange {
  OutputRows rows{};
  std::size_t first = 0, count = 0;
};
/// Copies the padded rows that the windows of `rows` lie in, where there are such; before the strips of
/// `rows`.
void prepare_rows(const ConvView& view, const OutputRows& rows, const StripScratch& scratch) noexcept;
/// Fills the per-pixel arrays for one group; counting uses `kernels`.
void prepare_strip(const BitSerialKernels& kernels, const ConvView& view, std::size_t group,
                   const StripRange& range, const StripScratch& scratch) noexcept;

}  // namespace bitplane::kernels
