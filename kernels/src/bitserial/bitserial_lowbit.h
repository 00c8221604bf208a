// SPDX-License-Identifier: Apache-2.0
//
// The family's entries in the list of low-bit kernels: what each supports and costs.
#pragma once

#include "bitplane/kernels/bitserial.h"
#include "bitserial/bitserial_infos.h"
#include "bitserial/tile.h"
#include "pixel_lanes/lane_conv.h"

namespace bitplane::kernels {

constexpr bool bitserial_supports(const BitConvSpec&) noexcept {
  return true;
}

/// Constants of bitserial_cost: a tile's size, bits counted per nanosecond, and nanoseconds.
struct BitSerialCost {
  double channels, pixels;    ///< of the largest tile
  double rate, vector_rate;   ///< bit pairs per ns inside of a tile; of one pixel
  double per_term, per_step;  ///< of a tile
  double per_output;          ///< epilogue
  double per_plane;           ///< of a window: its granules written; twice where its bits are counted
  double per_counted_word, per_gathered_word;  ///< of a window and plane
  double bytes_per_ns;  ///< weights read for one pixel, from behind the second-level cache
};

/// Least squares of relative errors over S1..S5 and the layers of ResNet-18, ResNet-20, VGG-Small and
/// AlexNet, 1/1 to 4/4, uniform and learned, one core of a Zen 4: within 18 % on AVX2 (standard deviation 6
/// %), 17 % on AVX-512 (4 %). The others are estimates.
template <Isa kIsa>
constexpr BitSerialCost bitserial_constants() noexcept {
  if constexpr (kIsa == Isa::Avx512) {
    return {32, 6, 1242, 1100, 16.5, 8.4, 0.065, 1.15, 0.57, 1.3, 82};
  } else if constexpr (kIsa == Isa::Avx2) {
    return {8, 4, 495, 390, 8.1, 4.6, 0.125, 3.5, 0.35, 0.96, 42};
  } else if constexpr (kIsa == Isa::Scalar) {
    return {1, 4, 20, 20, 6, 1, 1.0, 4, 2, 2, 20};
  } else {
    static_assert(kIsa == Isa::Neon, "this level has no prices: measure them, or count its instructions");
    return {16, 2, 200, 200, 10, 6, 0.2, 4, 0.8, 1.0, 30};  // two vector pipes, 2.5 GHz
  }
}

/// Nanoseconds: counting at the rate of whole tiles, and what each tile, output and window costs beside it.
/// Padded granules and channels are counted like others.
template <Isa kIsa>
double bitserial_cost(const BitConvSpec& spec) noexcept {
  constexpr BitSerialCost kCost = bitserial_constants<kIsa>();
  const ConvShape& shape = spec.shape;
  const auto number = [](std::size_t n) { return static_cast<double>(n); };
  const ActivationLayout input{
      .height = shape.height, .width = shape.width, .channels = shape.channels, .groups = shape.groups};
  const std::size_t group_channels = shape.out_channels / shape.groups;
  const std::size_t blocks = (group_channels + static_cast<std::size_t>(kCost.channels) - 1) /
                             static_cast<std::size_t>(kCost.channels);
  const std::size_t lanes = kIsa == Isa::Avx512 ? 8 : kIsa == Isa::Scalar ? 1 : 4;
  const double padded = number((group_channels + lanes - 1) / lanes * lanes * shape.groups);
  const double words = number(words_for_bits(shape.taps() * input.pixel_bits()));
  const double weight_planes = number(spec.weights.planes), planes = number(spec.activation_planes);
  const bool learned_weights =
      spec.combination == Combination::LearnedWeights || spec.combination == Combination::LearnedBoth;
  const bool learned_activations =
      spec.combination == Combination::LearnedActivations || spec.combination == Combination::LearnedBoth;
  const double pairs = weight_planes * planes;
  const double terms = (learned_weights ? weight_planes : 1.0) * (learned_activations ? planes : 1.0);
  const double pixels = number(shape.out_pixels());
  const double tiles = (pixels < kCost.pixels ? 1.0 : pixels / kCost.pixels) * number(blocks * shape.groups);

  double counting =
      pixels * padded * words * 64.0 * pairs / (pixels < kCost.pixels ? kCost.vector_rate : kCost.rate);
  const double weight_bytes = padded * words * 8.0 * weight_planes;
  if (pixels < kCost.pixels && weight_bytes > 512e3) {
    const double reading = pixels * weight_bytes / kCost.bytes_per_ns;
    if (reading > counting) counting = reading;
  }
  // AVX2 alone counts the activations' bits for bipolar weights (tile.h).
  const bool counts =
      (kIsa == Isa::Avx2 && spec.weight_encoding == Encoding::Bipolar) || spec.weight_offset != nullptr;
  const bool gathers = input.pixel_bits() % 64 != 0;
  const double per_word = (counts ? kCost.per_counted_word : 0.0) + (gathers ? kCost.per_gathered_word : 0.0);
  const double window = planes * ((counts ? 2.0 : 1.0) * kCost.per_plane + words * per_word);
  return counting + tiles * (terms * kCost.per_term + (pairs - terms) * kCost.per_step) +
         pixels * number(shape.out_channels) * kCost.per_output + pixels * number(shape.groups) * window;
}

template <const BitSerialKernels& kKernels>
std::unique_ptr<const LowBitConv> make_bit_conv(const BitConvSpec& spec) {
  return std::make_unique<const BitConv>(kKernels, spec);
}

constexpr LowBitKernel kBitSerialLowBit[] = {
    {kBitSerialInfos[0], bitserial_supports, bitserial_cost<Isa::Scalar>, make_bit_conv<kBitSerialScalar>},
#ifdef BITPLANE_HAVE_NEON
    {kBitSerialInfos[3], bitserial_supports, bitserial_cost<Isa::Neon>, make_bit_conv<kBitSerialNeon>},
#endif
#ifdef BITPLANE_HAVE_AVX2
    {kBitSerialInfos[1], bitserial_supports, bitserial_cost<Isa::Avx2>, make_bit_conv<kBitSerialAvx2>},
#endif
#ifdef BITPLANE_HAVE_AVX512
    {kBitSerialInfos[2], bitserial_supports, bitserial_cost<Isa::Avx512>, make_bit_conv<kBitSerialAvx512>},
    {kBitSerialInfos[4], lane_supports<kLaneCountsAvx512>, lane_cost<kLaneCountsAvx512>,
     make_lane_conv<kLaneCountsAvx512>},
#endif
};

}  // namespace bitplane::kernels
