// SPDX-License-Identifier: Apache-2.0
//
// Rounding to bf16 by VCVTNEPS2BF16: nearest even, NaN kept, denormals to zero, whatever MXCSR says. Included
// by the per-ISA files only.
#pragma once

#include "bf16/bf16_kernels.h"
#include "bitserial/intrinsics.h"

namespace bitplane::kernels {
namespace {

inline __mmask16 first_lanes(std::size_t count) {
  return static_cast<__mmask16>(count >= kBf16Lanes ? 0xffffU : (1U << count) - 1U);
}

inline __m256i round_floats(const float* from, __mmask16 lanes) {
  return __builtin_bit_cast(__m256i, _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(lanes, from)));
}

inline void round_row(const float* from, std::size_t count, std::uint16_t* to) noexcept {
  for (std::size_t i = 0; i < count; i += kBf16Lanes) {
    const __mmask16 lanes = first_lanes(count - i);
    _mm256_mask_storeu_epi16(to + i, lanes, round_floats(from + i, lanes));
  }
}

inline void pair_rows(const float* even, const float* odd, std::size_t count, std::uint32_t* to) noexcept {
  for (std::size_t i = 0; i < count; i += kBf16Lanes) {
    const __mmask16 lanes = first_lanes(count - i);
    __m512i low = _mm512_setzero_si512(), high = low;
    if (even != nullptr) low = _mm512_cvtepu16_epi32(round_floats(even + i, lanes));
    if (odd != nullptr) high = _mm512_slli_epi32(_mm512_cvtepu16_epi32(round_floats(odd + i, lanes)), 16);
    _mm512_storeu_si512(to + i, _mm512_or_si512(low, high));
  }
}

}  // namespace
}  // namespace bitplane::kernels
