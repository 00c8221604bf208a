// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "bitplane/kernels/aligned.h"
#include "bitplane/kernels/bitserial.h"
#include "bitserial/border.h"
#include "bitserial/pack_weights.h"
#include "bitserial/schedule.h"
#include "bitserial/windows.h"

namespace bitplane::kernels {

/// How much one pass over the weights works on; all that run() needs of scratch follows from it.
struct StripPlan {
  std::size_t rows = 1;    ///< output rows whose z is held before the epilogue takes them
  std::size_t pixels = 1;  ///< output pixels whose windows are gathered at a time
};

/// Everything of a BitConv that is made once. "[stride]" is a group's channels padded to whole registers.
struct PackedBitConv {
  Encoding weight_encoding = Encoding::Unsigned, activation_encoding = Encoding::Unsigned;
  Combination combination = Combination::UniformBoth;
  PairOp op = PairOp::And;
  std::size_t weight_planes = 0;
  std::vector<Term> terms;
  Schedule schedule;
  std::size_t stride = 0;
  WindowLayout windows;
  std::vector<ChannelBlock> blocks;
  AlignedArray<std::uint64_t> weights;
  AlignedArray<float> coefficients;   ///< [group][term][stride]; empty for UniformBoth
  AlignedArray<float> weight_offset;  ///< [group][stride] or empty
  std::array<float, kMaxActivationPlanes> activation_basis{};
  float activation_offset = 0.0F;
  std::vector<std::int32_t> pixel_factors;  ///< of S_j in the pixel terms: [term][plane]; of K (xor): [term]
  BorderClasses border;
  std::vector<std::size_t> inside;           ///< elements of a window inside the picture: [border class]
  AlignedArray<std::int32_t> channel_terms;  ///< [group][border class][term][stride] or empty
  AlignedArray<std::int32_t> minuends;       ///< [group][term][stride]; bipolar by unsigned by XOR only
  AlignedArray<float> weight_sums;  ///< SW: [group][border class][stride]; empty without activation offset
  StripPlan strip;

  /// Do the sums of the activations matter, apart from the pixel terms?
  [[nodiscard]] bool wants_activation_sums() const noexcept { return weight_offset.size() != 0; }
  /// Are the pixel terms made of S_j? Then the tiles count for themselves.
  [[nodiscard]] bool counts_in_tiles() const noexcept {
    return has_pixel_terms() && activation_encoding == Encoding::Unsigned;
  }
  [[nodiscard]] bool has_pixel_terms() const noexcept {
    return weight_encoding == Encoding::Bipolar && minuends.size() == 0;
  }
  /// Does anything per pixel depend on the taps inside the picture?
  [[nodiscard]] bool wants_border_values() const noexcept {
    return channel_terms.size() != 0 || weight_sums.size() != 0 || weight_offset.size() != 0 ||
           (has_pixel_terms() && activation_encoding == Encoding::Bipolar);
  }
};

/// Throws std::bad_alloc.
[[nodiscard]] PackedBitConv make_packed_conv(const BitSerialKernels& kernels, const BitConvSpec& spec,
                                             const ActivationLayout& input);

}  // namespace bitplane::kernels
