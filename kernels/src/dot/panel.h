// SPDX-License-Identifier: Apache-2.0
//
// What the kernels of family `dot` compute. Plain data only: this header is included by the files that are
// compiled with -m flags.
//
// Codes are expanded to *elements* that multiply instructions take: bytes, or 16-bit words where bytes could
// saturate. A *step* is four bytes of K: what one 32-bit lane of a register takes at a time. A window is a
// list of *segments*, runs of bytes that lie side by side in the expanded picture; segments together with the
// weights of one block of channels are cut into *chunks* that stay in the first-level cache while all pixels
// of a strip pass by:
//
//   out[pixel][channel] = start + sum over segments and steps of dot4(pixel bytes, weight bytes)
//
// where start is a constant of the channel in the first chunk, and what the chunk before left in the others.
// All of it is exact modulo 2^32, and the final sums fit int32.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bitplane/kernels/registry.h"

namespace bitplane::kernels {

inline constexpr std::size_t kStepBytes = 4;

struct DotSegment {
  std::size_t offset = 0;  ///< bytes from the first byte of a window
  std::size_t steps = 0;
};

enum class DotFinish : std::uint8_t { Integers, Floats };

/// One chunk of one block of channels, for all pixels of a strip.
struct DotPanel {
  const std::byte* const* pixels = nullptr;  ///< [pixel] -> its window in the expanded picture
  std::size_t pixel_count = 0;
  std::size_t slack = 0;  ///< bytes that may be read behind the last window, beside those of kDotSlack
  const DotSegment* segments = nullptr;
  std::size_t segment_count = 0;
  std::size_t lane_steps = 0;           ///< LaneSums::Widen
  const std::byte* weights = nullptr;   ///< [step][register][lane][4 bytes]
  const std::int32_t* start = nullptr;  ///< [channel], whole registers; null: go on from the integers in out
  std::byte* out = nullptr;             ///< int32 or float: pixel p, channel c at p * out_stride + 4 * c
  std::size_t out_stride = 0;           ///< bytes
  std::size_t channels = 0;             ///< valid ones; nothing is written beyond them
  DotFinish finish = DotFinish::Integers;
};

/// Pixels of one row and group of the packed planes, and what their bits are worth (modulo 2^16 or 2^8):
/// element = base + sum_j (bit_j ? steps[j] : 0).
struct DotPixels {
  const std::byte* planes = nullptr;
  std::size_t plane_stride = 0, plane_count = 0;
  std::size_t pixel_bytes = 0;  ///< of one plane: 2, 4 or a multiple of 8
  std::size_t pixels = 0, channels = 0;
  std::uint16_t base = 0;
  const std::uint16_t* steps = nullptr;
};

/// Weights of one chunk as codes: field f of byte b in vector v is the code of byte b in vector v * fields +
/// f of the expanded chunk; a vector has lanes * 4 bytes and 8 / code_bits fields per byte.
struct DotCodes {
  const std::byte* codes = nullptr;
  std::size_t vectors = 0;            ///< coded ones
  std::size_t code_bits = 1;          ///< 1, 2 or 4
  const std::byte* values = nullptr;  ///< [16]
};

struct ValueRange {
  std::int32_t min = 0, max = 0;
};

inline constexpr std::size_t kMaxDotRegisterSizes = 3, kMaxDotFormats = 3;
/// Bytes that an expanded row may be overrun by, in writing (a whole register) and reading (whole steps).
inline constexpr std::size_t kDotSlack = 128;

enum class LaneSums : std::uint8_t {
  EndChunks,  ///< chunks are short enough
  Widen,      ///< the sums go to 32-bit ones every DotPanel::lane_steps steps
};

/// Kernels for one type of element and way to add up.
struct DotFormat {
  std::size_t element_bytes;  ///< 0: there is no such format
  ValueRange weights, activations;
  std::int32_t lane_limit;  ///< the most that a lane's sum may reach; 0: it is modulo 2^32
  std::size_t least_steps;  ///< slower than the next format if fewer steps reach the limit
  LaneSums lane_sums;       ///< what happens before the limit is reached
  void (*run_panel[kMaxDotRegisterSizes])(const DotPanel&) noexcept;
  /// Writes pixels * channels elements and up to kDotSlack - 1 bytes more.
  void (*expand_pixels)(const DotPixels&, std::byte* to) noexcept;
};

/// One ISA's kernels.
struct DotKernels {
  KernelInfo info;
  std::size_t lanes;                                 ///< 32-bit ones of a register: output channels
  std::size_t register_sizes[kMaxDotRegisterSizes];  ///< of a block of channels, descending to 1; unused: 0
  std::size_t segment_steps;                         ///< segments are filled up to a multiple of it
  std::size_t slack_pixels;                          ///< windows that may be read behind the last one
  std::size_t chunk_bytes;                           ///< of expanded weights, at most
  DotFormat formats[kMaxDotFormats];                 ///< the faster first
  /// Writes vectors * (8 / code_bits) * lanes * 4 bytes, aligned to 64.
  void (*expand_weights)(const DotCodes&, std::byte* to) noexcept;
  void (*begin)() noexcept;  ///< before the first panel on a thread, and end after the last; or null
  void (*end)() noexcept;
};

extern const DotKernels kDotScalar;
extern const DotKernels kDotAvx2;
extern const DotKernels kDotAvxVnni;
extern const DotKernels kDotAvx512;
extern const DotKernels kDotAmx;
extern const DotKernels kDotNeonDot;

}  // namespace bitplane::kernels
