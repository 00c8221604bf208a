// SPDX-License-Identifier: Apache-2.0
//
// What bounds each family of kernels on registers, and how much of it a product takes. The one list:
// `bench` and `bitplane bench` state shares of the same peaks.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "bitplane/kernels/registry.h"
#include "peaks/loops.h"

namespace bitplane::peaks {

/// Bits of the operands of a product.
struct OperandBits {
  std::size_t weights = 0, activations = 0;
};

struct FamilyPeak {
  kernels::Family family;
  std::string_view peak;           ///< name of a loop
  std::string_view few_bits_avx2;  ///< the same where sums of products stay in 16 bits for a while
  double (*work_per_mac)(OperandBits);

  [[nodiscard]] constexpr std::string_view peak_on(kernels::Isa isa, OperandBits bits) const noexcept {
    constexpr std::size_t kFewBits = 8;
    return isa == kernels::Isa::Avx2 && bits.weights + bits.activations <= kFewBits ? few_bits_avx2 : peak;
  }
};

inline constexpr std::array<FamilyPeak, 5> kFamilyPeaks{{
    {kernels::Family::BitSerial, kBitPeak, kBitPeak,
     [](OperandBits bits) { return static_cast<double>(bits.weights * bits.activations); }},
    {kernels::Family::Lut, kLookupPeak, kLookupPeak,
     [](OperandBits bits) { return static_cast<double>(bits.weights); }},
    {kernels::Family::Dot, kInt8Peak, kNarrowInt8Peak, [](OperandBits) { return 1.0; }},
    {kernels::Family::F32, kFmaPeak, kFmaPeak, [](OperandBits) { return 1.0; }},
    {kernels::Family::Codebook, kFmaPeak, kFmaPeak, [](OperandBits) { return 1.0; }},
}};

/// nullptr: no limit is known.
[[nodiscard]] constexpr const FamilyPeak* peak_of(kernels::Family family) noexcept {
  for (const FamilyPeak& peak : kFamilyPeaks) {
    if (peak.family == family) return &peak;
  }
  return nullptr;
}

}  // namespace bitplane::peaks
