// SPDX-License-Identifier: Apache-2.0
//
// The family's entries in the list of low-bit kernels: what each supports and costs.
#pragma once

#include "bitplane/kernels/bitserial.h"
#include "bitserial/bitserial_infos.h"
#include "bitserial/tile.h"

namespace bitplane::kernels {

constexpr bool bitserial_supports(const BitConvSpec&) noexcept {
  return true;
}

/// Nanoseconds: bit-operations at the rate of large tiles, and what each output pixel costs beside them.
template <Isa kIsa>
double bitserial_cost(const BitConvSpec& spec) noexcept {
  constexpr double kBitMacsPerNs = kIsa == Isa::Avx512   ? 900.0
                                   : kIsa == Isa::Avx2   ? 330.0
                                   : kIsa == Isa::Scalar ? 20.0
                                                         : 200.0;  // NEON: two vector pipes, 2.5 GHz
  constexpr double kNsPerWindowWord = 0.6, kNsPerOutput = 0.15;
  const ConvShape& shape = spec.shape;
  const double pairs = static_cast<double>(spec.weights.planes * spec.activation_planes);
  const double pixels = static_cast<double>(shape.out_pixels());
  const double words =
      static_cast<double>(words_for_bits(shape.filter_size()) * shape.groups * spec.activation_planes);
  const double outputs = pixels * static_cast<double>(shape.out_channels);
  return static_cast<double>(shape.macs()) * pairs / kBitMacsPerNs + pixels * words * kNsPerWindowWord +
         outputs * kNsPerOutput;
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
#endif
};

}  // namespace bitplane::kernels
