// SPDX-License-Identifier: Apache-2.0
//
// The family's entries in the list of low-bit kernels: what each supports and costs.
#pragma once

#include <cstddef>
#include <initializer_list>

#include "bitplane/kernels/lut.h"
#include "lut/lut_infos.h"
#include "lut/packed_lut.h"
#include "lut/packed_weight_tables.h"

namespace bitplane::kernels {

template <const LutLayout& kLayout>
bool lut_supports(const BitConvSpec& spec) noexcept {
  return activation_tables_support(kLayout, spec);
}
template <const LutLayout& kLayout>
bool lut_weights_support(const BitConvSpec& spec) noexcept {
  return weight_tables_support(kLayout, spec);
}

/// Nanoseconds: look-ups of whole registers, and what each group of each output pixel (its codes) and each
/// output cost beside them.
template <const LutLayout& kLayout>
double lut_cost(const BitConvSpec& spec) noexcept {
  constexpr bool kWide = kLayout.group_bits == 6;
  constexpr double kNsPerLookUp = kWide ? 0.43 : 0.25, kNsPerTable = kWide ? 0.20 : 0.05;
  constexpr double kNsPerCode = 0.15, kNsPerOutput = 0.15;
  const ConvShape& shape = spec.shape;
  const std::size_t channels = shape.out_channels / shape.groups;
  const std::size_t registers = (channels + kLayout.lanes - 1) / kLayout.lanes * spec.weights.planes;
  const std::size_t tiles = (registers + 1) / 2, parts = (spec.activation_planes + 1) / 2;
  const double groups = static_cast<double>(shape.out_pixels() * shape.groups) *
                        static_cast<double>(shape.filter_size()) / static_cast<double>(kLayout.group_bits);
  const double outputs = static_cast<double>(shape.out_pixels() * shape.out_channels);
  return groups *
             (static_cast<double>(registers) * kNsPerLookUp +
              static_cast<double>(tiles * parts) * kNsPerTable + static_cast<double>(parts) * kNsPerCode) +
         outputs * kNsPerOutput;
}

template <const LutKernels& kKernels>
std::unique_ptr<const LowBitConv> make_lut_conv(const BitConvSpec& spec) {
  return std::make_unique<const LutConv>(kKernels, spec);
}

template <const LutLayout& kLayout>
double lut_weights_cost(const BitConvSpec& spec) noexcept {
  const ConvShape& shape = spec.shape;
  return static_cast<double>(shape.macs()) * static_cast<double>(spec.activation_planes) / 300.0;
}

template <const LutKernels& kKernels>
std::unique_ptr<const LowBitConv> make_lut_weights_conv(const BitConvSpec& spec) {
  return std::make_unique<const LutWeightTablesConv>(kKernels, spec);
}

constexpr std::initializer_list<LowBitKernel> kLutLowBit = {
// perhaps none
#ifdef BITPLANE_HAVE_AVX2
    {kLutInfos[0], lut_supports<kLutLayoutAvx2>, lut_cost<kLutLayoutAvx2>, make_lut_conv<kLutAvx2>},
    {kLutInfos[2], lut_weights_support<kLutLayoutAvx2>, lut_weights_cost<kLutLayoutAvx2>,
     make_lut_weights_conv<kLutAvx2>},
#endif
#ifdef BITPLANE_HAVE_AVX512
    {kLutInfos[1], lut_supports<kLutLayoutAvx512>, lut_cost<kLutLayoutAvx512>, make_lut_conv<kLutAvx512>},
#endif
};

}  // namespace bitplane::kernels
