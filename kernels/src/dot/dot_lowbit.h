// SPDX-License-Identifier: Apache-2.0
//
// The family's entries in the list of low-bit kernels: what each supports and costs.
#pragma once

#include <initializer_list>

#include "bitplane/kernels/dot.h"
#include "dot/dot_infos.h"
#include "dot/panel.h"

namespace bitplane::kernels {

template <const DotKernels& kKernels>
bool dot_kernel_supports(const BitConvSpec& spec) noexcept {
  return dot_supports(kKernels, spec);
}

template <Isa kIsa>
double dot_cost(const BitConvSpec& spec) noexcept {
  constexpr double kMacsPerNs = kIsa == Isa::Avx512 ? 200.0 : 150.0;
  return static_cast<double>(spec.shape.macs()) / kMacsPerNs;
}

template <const DotKernels& kKernels>
std::unique_ptr<const LowBitConv> make_dot_conv(const BitConvSpec& spec) {
  return std::make_unique<const DotConv>(kKernels, spec);
}

constexpr std::initializer_list<LowBitKernel> kDotLowBit = {
// perhaps none
#ifdef BITPLANE_HAVE_AVX2
    {kDotInfos[0], dot_kernel_supports<kDotAvx2>, dot_cost<Isa::Avx2>, make_dot_conv<kDotAvx2>},
#endif
#ifdef BITPLANE_HAVE_AVXVNNI
    {kDotInfos[1], dot_kernel_supports<kDotAvxVnni>, dot_cost<Isa::AvxVnni>, make_dot_conv<kDotAvxVnni>},
#endif
#ifdef BITPLANE_HAVE_AVX512
    {kDotInfos[2], dot_kernel_supports<kDotAvx512>, dot_cost<Isa::Avx512>, make_dot_conv<kDotAvx512>},
#endif
#ifdef BITPLANE_HAVE_AMX
    {kDotInfos[3], dot_kernel_supports<kDotAmx>, dot_cost<Isa::Amx>, make_dot_conv<kDotAmx>},
#endif
};

}  // namespace bitplane::kernels
