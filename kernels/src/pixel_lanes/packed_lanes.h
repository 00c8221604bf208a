// SPDX-License-Identifier: Apache-2.0
//
// A convolution prepared for kernels with output pixels in their lanes: the geometry of its bands, and its
// weights as words or as look-ups.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bitplane/kernels/aligned.h"
#include "bitplane/kernels/lowbit_conv.h"
#include "pixel_lanes/lane_band.h"

namespace bitplane::kernels {

/// What a kernel's bands look like (lane_band.h).
struct LaneGeometry {
  std::size_t granule_bytes = 2, lanes = 32;  ///< of a register
  std::size_t pitch = 1;                      ///< positions of a row
  std::size_t span_rows = 1;                  ///< input rows of one output row
  std::size_t band_rows = 1;                  ///< output rows of a whole band
  std::size_t last_tap = 0;                   ///< positions from an output pixel to its last tap
  std::size_t quads = 1;                      ///< groups of 4 input channels of a group

  [[nodiscard]] std::size_t positions(std::size_t rows, std::size_t out_width) const noexcept;
  /// Positions that kernels read of a plane of a whole band.
  [[nodiscard]] std::size_t read_positions(std::size_t out_width) const noexcept;
};
/// The spec has a shape that kernels support.
[[nodiscard]] LaneGeometry lane_geometry(const LaneKernels& kernels, const BitConvSpec& spec) noexcept;

struct PackedLanes {
  LaneGeometry geometry;
  std::size_t group_channels = 0;   ///< output channels of one group of the convolution,
  std::size_t padded_channels = 0;  ///< and as many as the kernel computes
  std::size_t plane_stride = 0;     ///< bytes of a plane of a band
  std::size_t sum_stride = 0;       ///< words of a channel of a band
  std::vector<std::uint32_t> tap_positions;

  LanePairOp op = LanePairOp::And;
  AlignedArray<std::byte> words;         ///< Counted: [group], each as in LaneBand
  AlignedArray<LaneWord> starts;         ///< [group][padded channel]
  std::vector<std::int16_t> factors;     ///< [weight plane][activation plane]
  AlignedArray<std::uint16_t> look_ups;  ///< Tables: [group], each as in LaneBand
  std::vector<std::uint16_t> sum_look_ups;
  std::size_t widen_every = 0;
  AlignedArray<std::uint8_t> bit_values;
  std::vector<std::int16_t> plane_factors;
  std::int16_t sum_factor = 0;
  std::size_t table_stride = 0;
};

/// Uniform codes without offsets, unsigned activations of up to kLanePlanes planes and 64 channels a group,
/// stride 1, no more padding than taps; results that fit 16 bits.
[[nodiscard]] bool lanes_support(const LaneKernels& kernels, const BitConvSpec& spec) noexcept;
/// Throws std::bad_alloc. The spec is supported.
[[nodiscard]] PackedLanes make_packed_lanes(const LaneKernels& kernels, const BitConvSpec& spec);
/// `value` modulo 2^16 for lanes of granules of so many bytes.
[[nodiscard]] LaneWord lane_word(std::int64_t value, std::size_t granule_bytes) noexcept;
/// Nanoseconds, as LowBitKernel::cost.
[[nodiscard]] double lanes_cost(const LaneKernels& kernels, const BitConvSpec& spec) noexcept;
/// The same for bands of a given geometry.
[[nodiscard]] double bands_cost(const LaneKernels& kernels, const BitConvSpec& spec,
                                const LaneGeometry& geometry) noexcept;

}  // namespace bitplane::kernels
