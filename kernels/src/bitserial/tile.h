// SPDX-License-Identifier: Apache-2.0
//
// What one bit-serial micro-kernel computes: tiles of output channels x output pixels, all of their plane
// pairs, and z from them. One call covers a block of channels and any number of tiles of pixels side by side:
// what depends on the block alone is worked out once. Plain data only: this header is included by the files
// that are compiled with -m flags.
//
// Integer part. A *term* t is the integer sum over the plane pairs that it groups,
//
//     I_t = sum_ij a_ti b_tj D_ij = alpha * sum_ij a_ti b_tj C_ij + pixel term + channel term
//
// with C = pop(AND) or pop(XOR), as counted. The products a_ti b_tj are +-2^e, so the sum is a Horner scheme
// over *steps* in descending e, and the counters of the tile never leave their registers:
//
//     total = (negate ? -total : total) << shift;  total += C(step)
//
//                          alpha   pixel term                channel term (per border class)
//     unsigned x unsigned    1     0                         0
//     bipolar  x unsigned    2     -(sum a)(sum_j b_j S_j)   0
//       or, by XOR          -1     0                         (sum b)(sum_i a_i R_i), all taps
//     unsigned x bipolar     2     0                         -(sum b)(sum_i a_i R_i inside the picture)
//     bipolar  x bipolar    -2     (sum a)(sum b) K inside   2 (sum b)(sum_i a_i R_i outside the picture)
//
// The second way follows from pop(w XOR a) = R + S - 2 P: nothing of the activations is counted, and factor
// and term are one subtraction from a row of constants. A backend takes it where XOR costs what AND does. On
// AVX-512, S1 (K = 576) with learned bases took 1.21 of the time of uniform codes at 1/1 the first way, 1.09
// the second (2/2: 1.14 and 1.07).
//
// A padded tap is a zero word, which AND ignores and XOR counts as pop(w): hence "outside" in the last line,
// and hence no border in the second way, where that count meets the same taps' share of R. All of it is exact
// modulo 2^32, and the final sums fit int32.
//
// Float part. One uniform term: z = float(I). Else z = fma(coefficient_t[c], float(I_t), z) in the order of
// terms.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bitplane/kernels/registry.h"

namespace bitplane::kernels {

enum class PairOp : std::uint8_t { And, Xor };
inline constexpr std::size_t kPairOps = 2;

struct PlaneStep {
  std::uint16_t weight_plane = 0, activation_plane = 0;
  std::uint8_t shift = 0;
  bool negate = false;
};

struct TermSteps {
  std::uint32_t first = 0, count = 0;  ///< into the steps
  std::uint8_t shift = 0;              ///< after the last step
  bool negate = false;
};

/// Comparisons instead of z or integers: bit c % 8 of byte [threshold][pixel][c / 8] becomes
/// t > thresholds[l], or (I ^ flip[c]) > integer_thresholds[l][c] if those are given.
struct TilePassed {
  std::byte* bits = nullptr;  ///< of the first pixel and channel of the tile; null: none are wanted
  std::size_t threshold_stride = 0, pixel_stride = 0;  ///< bytes
  std::size_t count = 0;                               ///< of thresholds
  const float* thresholds = nullptr;                   ///< [count]
  const std::int32_t* integer_thresholds =
      nullptr;                         ///< [count][channel_stride], from the tile's first channel
  const std::int32_t* flip = nullptr;  ///< from the tile's first channel
  std::size_t channel_stride = 0;
};

/// Operands of `tiles` tiles, one after the other in pixels. "[stride]" arrays are per channel of the group,
/// padded to whole registers.
struct BitTile {
  std::size_t tiles = 1;
  const std::uint64_t* weights = nullptr;     ///< [plane][word][channel of the tile]
  std::size_t words = 0;                      ///< of K
  const std::size_t* word_offsets = nullptr;  ///< [words]: bytes from the start of a pixel's plane
  bool words_side_by_side = false;            ///< are they 0, 8, 16 ...?
  std::size_t weight_planes = 0, activation_planes = 0;
  const std::byte* const* pixels = nullptr;  ///< [pixel] -> its first plane
  std::size_t plane_stride = 0;              ///< bytes from one plane of a pixel to the next
  const PlaneStep* steps = nullptr;
  const TermSteps* terms = nullptr;
  std::size_t term_count = 0;
  std::int32_t* pixel_terms = nullptr;          ///< [pixel][term] or null
  const std::int32_t* pixel_factors = nullptr;  ///< [term][activation plane]: of S_j in the pixel terms,
                                                ///< which the call writes first; null: they are there
  const std::int32_t* const* channel_terms = nullptr;  ///< [pixel] -> [term][stride], or null
  const std::int32_t* minuends =
      nullptr;                           ///< [term][stride]: what the sum is subtracted from; null: it is not
  const float* coefficients = nullptr;   ///< [term][stride]; null: z = float(I_0)
  const float* weight_offset = nullptr;  ///< [stride] or null
  const float* activation_sums = nullptr;     ///< [pixel]; with weight_offset
  const float* scale = nullptr;               ///< [stride] or null: z = fma(z, scale, shift)
  const float* shift = nullptr;               ///< [stride]; with scale
  const float* const* weight_sums = nullptr;  ///< [pixel] -> [stride], or null
  float activation_offset = 0.0F;             ///< with weight_sums
  std::size_t first_channel = 0;  ///< of the tile, in the group: where it starts in the [stride] arrays
  std::size_t stride = 0;
  std::size_t channels = 0;  ///< valid channels of the tile; nothing is written beyond them
  TilePassed passed{};
  float* z = nullptr;                ///< pixel p, channel c at p * pixel_stride + c; null: not wanted
  std::int32_t* integers = nullptr;  ///< likewise: I_0
  std::size_t pixel_stride = 0;
};

using TileFunction = void (*)(const BitTile&) noexcept;

/// Windows whose planes' bits are to be counted.
struct PlaneCountArgs {
  const std::byte* const* pixels = nullptr;  ///< [count] -> the first plane
  std::size_t count = 0;
  std::size_t plane_stride = 0;               ///< bytes
  const std::size_t* word_offsets = nullptr;  ///< as of a tile
  std::size_t planes = 0, words = 0;
};

inline constexpr std::size_t kMaxRegisterSizes = 3, kMaxPixelSizes = 4;

/// One ISA's kernels. A tile has register_sizes[a] * lanes channels and pixel_sizes[b] pixels.
struct BitSerialKernels {
  KernelInfo info;
  std::size_t lanes;
  PairOp bipolar_by_unsigned;   ///< of the two ways
  std::size_t passed_channels;  ///< comparisons are for channels in multiples of this; 0: there are none
  std::size_t register_sizes[kMaxRegisterSizes];  ///< descending, down to 1; unused entries 0
  std::size_t pixel_sizes[kMaxPixelSizes];        ///< likewise
  TileFunction run_tile[kPairOps][kMaxRegisterSizes][kMaxPixelSizes];
  /// counts[pixel][plane] = number of set bits: S_j.
  void (*count_planes)(const PlaneCountArgs&, std::int32_t* counts) noexcept;
};

extern const BitSerialKernels kBitSerialScalar;
extern const BitSerialKernels kBitSerialAvx2;
extern const BitSerialKernels kBitSerialAvx512;
extern const BitSerialKernels kBitSerialNeon;

}  // namespace bitplane::kernels
