// SPDX-License-Identifier: Apache-2.0
//
// Canonical weight planes -> the layout that the micro-kernels read, and sums of them.
//
//   canonical  [plane][out channel][K bits dense]
//   packed     [group][block of channels][plane][word][channel of the block]
//
// A block is what one tile covers: as many channels as the largest register size that still fits, so blocks
// differ in width; a group's last register is filled up with zero channels. Words are in the granule order of
// gather.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bitplane/kernels/aligned.h"
#include "bitplane/kernels/bitserial.h"
#include "bitserial/border.h"
#include "bitserial/tile.h"

namespace bitplane::kernels {

struct ChannelBlock {
  std::size_t first = 0;           ///< channel of the group
  std::size_t channels = 0;        ///< valid ones
  std::size_t register_index = 0;  ///< into register_sizes
};
[[nodiscard]] std::vector<ChannelBlock> cut_into_blocks(const BitSerialKernels& kernels,
                                                        std::size_t group_channels);

struct WeightGeometry {
  ConvShape shape;
  ActivationLayout input;
  std::size_t stride = 0;  ///< channels of one group, padded to whole registers
};
[[nodiscard]] AlignedArray<std::uint64_t> pack_weights(const BitSerialKernels& kernels,
                                                       const PlaneMatrixView& weights,
                                                       const WeightGeometry& geometry);

/// Number of set bits of (plane, channel) in the taps rows x columns: R_i of a border class.
[[nodiscard]] std::int64_t count_taps(const PlaneMatrixView& weights, const ConvShape& shape,
                                      std::size_t plane, std::size_t channel, IndexRange rows,
                                      IndexRange columns) noexcept;

}  // namespace bitplane::kernels
