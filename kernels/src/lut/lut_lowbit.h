// SPDX-License-Identifier: Apache-2.0
//
// The family's entries in the list of low-bit kernels: what each supports and costs.
#pragma once

#include <cstddef>
#include <initializer_list>

#include "bitplane/kernels/lut.h"
#include "lut/lut_cost.h"
#include "lut/lut_infos.h"
#include "lut/packed_lut.h"
#include "lut/packed_weight_tables.h"
#include "pixel_lanes/lane_conv.h"

namespace bitplane::kernels {

template <const LutLayout& kLayout>
bool lut_supports(const BitConvSpec& spec) noexcept {
  return activation_tables_support(kLayout, spec);
}
template <const LutLayout& kLayout>
bool lut_weights_support(const BitConvSpec& spec) noexcept {
  return weight_tables_support(kLayout, spec);
}

template <const LutLayout& kLayout>
double lut_cost(const BitConvSpec& spec) noexcept {
  return activation_tables_cost(kLayout, spec);
}
template <const LutLayout& kLayout>
double lut_weights_cost(const BitConvSpec& spec) noexcept {
  return weight_tables_cost(kLayout, spec);
}

template <const LutKernels& kKernels>
std::unique_ptr<const LowBitConv> make_lut_conv(const BitConvSpec& spec) {
  return std::make_unique<const LutConv>(kKernels, spec);
}

template <const LutKernels& kKernels>
std::unique_ptr<const LowBitConv> make_lut_weights_conv(const BitConvSpec& spec) {
  return std::make_unique<const LutWeightTablesConv>(kKernels, spec);
}

constexpr std::initializer_list<LowBitKernel> kLutLowBit = {
// perhaps none
#ifdef BITPLANE_HAVE_NEON
    {kLutInfos[3], lut_supports<kLutLayoutNeon>, lut_cost<kLutLayoutNeon>, make_lut_conv<kLutNeon>},
#endif
#ifdef BITPLANE_HAVE_AVX2
    {kLutInfos[0], lut_supports<kLutLayoutAvx2>, lut_cost<kLutLayoutAvx2>, make_lut_conv<kLutAvx2>},
    {kLutInfos[2], lut_weights_support<kLutLayoutAvx2>, lut_weights_cost<kLutLayoutAvx2>,
     make_lut_weights_conv<kLutAvx2>},
    {kLutInfos[4], lane_supports<kLaneTablesAvx2>, lane_cost<kLaneTablesAvx2>,
     make_lane_conv<kLaneTablesAvx2>},
#endif
#ifdef BITPLANE_HAVE_AVX512
    {kLutInfos[1], lut_supports<kLutLayoutAvx512>, lut_cost<kLutLayoutAvx512>, make_lut_conv<kLutAvx512>},
#endif
};

}  // namespace bitplane::kernels
