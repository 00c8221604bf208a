// SPDX-License-Identifier: Apache-2.0
//
// The family's entries in the list of low-bit kernels: what each supports and costs.
#pragma once

#include <initializer_list>

#include "bitplane/kernels/dot.h"
#include "dot/cost.h"
#include "dot/dot_infos.h"
#include "dot/panel.h"

namespace bitplane::kernels {

template <const DotKernels& kKernels>
bool dot_kernel_supports(const BitConvSpec& spec) noexcept {
  return dot_supports(kKernels, spec);
}

// AVX2 and AVX-512: fitted to minima over many runs on one core (Zen 4, 3.5 GHz) of GEMM and 3x3 layers with
// 10 to 1024 channels, 1 to 3136 pixels, 1/1 to 8/8 bits; they are within 15 % there, the smallest layers (an
// epilogue of few channels costs more) within 40 %. A product is one of 0.28 ns = 1 cycle of VPDPBUSD on zmm
// registers, 1.57 per cycle of VPMADDUBSW + VPADDW on ymm. AVX-VNNI: 0.79 to 0.81 of
// AVX2's time on S5 where both run (Zen 5, whose AVX-512 takes half of that again). AMX: from the throughput
// on Golden Cove (a tile in 16 cycles, of which the best known kernels reach 60 %), not measured.
inline constexpr DotRates kDotRatesAvx2{.product = 0.172,
                                        .widened = 0.32,
                                        .tile = 12.0,
                                        .expanded = 0.45,
                                        .row = 10.0,
                                        .output = 0.40,
                                        .tile_pixels = 6};
inline constexpr DotRates kDotRatesAvxVnni{
    .product = 0.15, .tile = 12.0, .expanded = 0.45, .row = 10.0, .output = 0.40, .tile_pixels = 6};
inline constexpr DotRates kDotRatesAvx512{
    .product = 0.28, .tile = 15.0, .expanded = 0.8, .row = 10.0, .output = 0.20, .tile_pixels = 6};
inline constexpr DotRates kDotRatesAmx{
    .product = 0.03, .tile = 120.0, .expanded = 0.8, .row = 10.0, .tile_pixels = 32};

// Counted, not measured: the instructions of a core with two vector pipes at 2.5 GHz.
inline constexpr DotRates kDotRatesNeonDot{
    .product = 0.2, .tile = 15.0, .expanded = 1.2, .row = 10.0, .tile_pixels = 6};

// Plain loops on the CPU of the first list (GCC 12, SSE2).
inline constexpr DotRates kDotRatesScalar{
    .product = 6.0, .tile = 20.0, .expanded = 20.0, .row = 10.0, .tile_pixels = 2};

template <const DotKernels& kKernels, const DotRates& kRates>
double dot_kernel_cost(const BitConvSpec& spec) noexcept {
  return dot_cost(kKernels, kRates, spec);
}

template <const DotKernels& kKernels>
std::unique_ptr<const LowBitConv> make_dot_conv(const BitConvSpec& spec) {
  return std::make_unique<const DotConv>(kKernels, spec);
}

constexpr std::initializer_list<LowBitKernel> kDotLowBit = {
    {kDotInfos[5], dot_kernel_supports<kDotScalar>, dot_kernel_cost<kDotScalar, kDotRatesScalar>,
     make_dot_conv<kDotScalar>},
#ifdef BITPLANE_HAVE_NEONDOT
    {kDotInfos[4], dot_kernel_supports<kDotNeonDot>, dot_kernel_cost<kDotNeonDot, kDotRatesNeonDot>,
     make_dot_conv<kDotNeonDot>},
#endif
#ifdef BITPLANE_HAVE_AVX2
    {kDotInfos[0], dot_kernel_supports<kDotAvx2>, dot_kernel_cost<kDotAvx2, kDotRatesAvx2>,
     make_dot_conv<kDotAvx2>},
#endif
#ifdef BITPLANE_HAVE_AVXVNNI
    {kDotInfos[1], dot_kernel_supports<kDotAvxVnni>, dot_kernel_cost<kDotAvxVnni, kDotRatesAvxVnni>,
     make_dot_conv<kDotAvxVnni>},
#endif
#ifdef BITPLANE_HAVE_AVX512
    {kDotInfos[2], dot_kernel_supports<kDotAvx512>, dot_kernel_cost<kDotAvx512, kDotRatesAvx512>,
     make_dot_conv<kDotAvx512>},
#endif
#ifdef BITPLANE_HAVE_AMX
    {kDotInfos[3], dot_kernel_supports<kDotAmx>, dot_kernel_cost<kDotAmx, kDotRatesAmx>,
     make_dot_conv<kDotAmx>},
#endif
};

}  // namespace bitplane::kernels
