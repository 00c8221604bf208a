// SPDX-License-Identifier: Apache-2.0
//
// Rounding to bf16 by VCVTNEPS2BF16: nearest even, NaN kept, denormals to zero, whatever MXCSR says. Included
// by the per-ISA files only.
#pragma once

#include "bf16/bf16_kernels.h"
#include "bitserial/intrinsics.h"
#include "isa_unroll.h"

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

/// Pairs of two rows; null: zeros.
[[gnu::always_inline]] inline __m512i pair_floats(const float* even, const float* odd, __mmask16 lanes) {
  __m512i low = _mm512_setzero_si512(), high = low;
  if (even != nullptr) low = _mm512_cvtepu16_epi32(round_floats(even, lanes));
  if (odd != nullptr) high = _mm512_slli_epi32(_mm512_cvtepu16_epi32(round_floats(odd, lanes)), 16);
  return _mm512_or_si512(low, high);
}

inline void pair_rows(const float* even, const float* odd, std::size_t count, std::uint32_t* to) noexcept {
  const auto at = [](const float* row, std::size_t i) { return row == nullptr ? nullptr : row + i; };
  for (std::size_t i = 0; i < count; i += kBf16Lanes)
    _mm512_storeu_si512(to + i, pair_floats(at(even, i), at(odd, i), first_lanes(count - i)));
}

/// 16 x 16 lanes, in place: rows become columns.
[[gnu::always_inline]] inline void transpose_lanes(__m512i (&x)[16]) {
  __m512i y[16];
  unroll<8>([&](auto i) __attribute__((always_inline)) {
    y[2 * i] = _mm512_unpacklo_epi32(x[2 * i], x[2 * i + 1]);
    y[2 * i + 1] = _mm512_unpackhi_epi32(x[2 * i], x[2 * i + 1]);
  });
  unroll<4>([&](auto i) __attribute__((always_inline)) {
    unroll<2>([&](auto half) __attribute__((always_inline)) {
      x[4 * i + 2 * half] = _mm512_unpacklo_epi64(y[4 * i + half], y[4 * i + 2 + half]);
      x[4 * i + 2 * half + 1] = _mm512_unpackhi_epi64(y[4 * i + half], y[4 * i + 2 + half]);
    });
  });
  // Lane group g of x[4 i + j] is now column 4 g + j of rows 4 i to 4 i + 3.
  unroll<4>([&](auto j) __attribute__((always_inline)) {
    unroll<2>([&](auto i) __attribute__((always_inline)) {
      y[4 * j + 2 * i] = _mm512_shuffle_i32x4(x[8 * i + j], x[8 * i + 4 + j], 0x88);
      y[4 * j + 2 * i + 1] = _mm512_shuffle_i32x4(x[8 * i + j], x[8 * i + 4 + j], 0xdd);
    });
  });
  unroll<4>([&](auto j) __attribute__((always_inline)) {
    x[j] = _mm512_shuffle_i32x4(y[4 * j], y[4 * j + 2], 0x88);
    x[8 + j] = _mm512_shuffle_i32x4(y[4 * j], y[4 * j + 2], 0xdd);
    x[4 + j] = _mm512_shuffle_i32x4(y[4 * j + 1], y[4 * j + 3], 0x88);
    x[12 + j] = _mm512_shuffle_i32x4(y[4 * j + 1], y[4 * j + 3], 0xdd);
  });
}

inline void transpose(const float* const* rows, std::size_t elements, std::size_t columns, std::byte* to,
                      std::size_t row_bytes) noexcept {
  const auto valid = static_cast<__mmask32>(elements >= 32 ? 0xffffffffU : (1U << elements) - 1U);
  for (std::size_t column = 0; column < columns; column += kBf16Lanes) {
    const std::size_t left = columns - column;
    const __mmask16 lanes = first_lanes(left);
    __m512i x[16];
    const auto row = [&](std::size_t i) {
      return i < elements && rows[i] != nullptr ? rows[i] + column : nullptr;
    };
    unroll<16>([&](auto i)
                   __attribute__((always_inline)) { x[i] = pair_floats(row(2 * i), row(2 * i + 1), lanes); });
    transpose_lanes(x);
    unroll<16>([&](auto c) __attribute__((always_inline)) {
      if (c < left) _mm512_mask_storeu_epi16(to + (column + c) * row_bytes, valid, x[c]);
    });
  }
}

}  // namespace
}  // namespace bitplane::kernels
