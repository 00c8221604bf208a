// SPDX-License-Identifier: Apache-2.0
//
// The other role: the weights are the tables. Their groups are encoded once, the indices are the activations'
// bits, the bytes of a register are output pixels, and one look-up serves all weight planes of one activation
// plane. Pays where there are few output channels (registers full of channels would be mostly empty) or more
// weight than activation planes.
//
//   value of a weight        w = sum_i m_i b_i = sum_i |m_i| b'_i + n    b' = b, or 1 - b where m_i < 0;
//                                                                        n = sum of the negative m_i
//   bipolar weights          w = 2 sum_i m_i b_i - sum_i m_i
//   so that                  A = f sum_j n_j T_j + (f n - [bipolar] sum_i m_i) S,   f = 1, or 2 if bipolar,
//
// T_j = what the look-ups with activation plane j add up to, S = the sum of the window's values. The bits b'
// of padding are looked up by no index bit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bitplane/kernels/aligned.h"
#include "bitplane/kernels/lowbit_conv.h"
#include "bitserial/border.h"
#include "lut/lut_tile.h"

namespace bitplane::kernels {

struct PackedWeightTables {
  std::size_t words = 0;              ///< of one window and plane
  std::size_t parts = 0, groups = 0;  ///< of one channel
  std::size_t widen_every = 0;        ///< groups whose sums fit a byte
  std::size_t part_stride = 0;        ///< codes of one part of a channel
  std::size_t group_channels = 0;     ///< output channels of one group of the convolution,
  std::size_t padded_channels = 0;    ///< and as many as the tiles take
  std::vector<std::int32_t> factors;  ///< [activation plane] of T_j in A
  std::vector<std::int32_t> activation_multiples;
  std::int32_t window_factor = 0;     ///< of S in A
  AlignedArray<std::uint16_t> codes;  ///< [group][padded channel][part][group of elements]
  AlignedArray<std::uint8_t> tables;
  BorderClasses border;
  std::size_t strip_rows = 1;    ///< output rows whose results are held before the epilogue takes them
  std::size_t strip_pixels = 1;  ///< output pixels that are indexed at a time, whole registers

  [[nodiscard]] std::size_t channel_codes() const noexcept { return parts * part_stride; }
};

[[nodiscard]] bool weight_tables_support(const LutLayout& lut, const BitConvSpec& spec) noexcept;
/// Throws std::bad_alloc.
[[nodiscard]] PackedWeightTables make_packed_weight_tables(const LutKernels& kernels, const BitConvSpec& spec,
                                                           const ActivationLayout& input);
/// The factor of S in A.
[[nodiscard]] std::int32_t weight_tables_window_factor(const BitConvSpec& spec) noexcept;
/// Output rows of a strip: as many as leave few lanes of the last register empty.
[[nodiscard]] std::size_t weight_tables_rows(const LutLayout& lut, const ConvShape& shape) noexcept;

}  // namespace bitplane::kernels
