// SPDX-License-Identifier: Apache-2.0
//
// For per-ISA files with AVX2 and more: the sums of a row, channel by channel, to pixel by pixel.
#pragma once

#include "bitserial/intrinsics.h"

#include <cstddef>
#include <cstdint>

#include "isa_unroll.h"
#include "pixel_lanes/lane_band.h"

namespace bitplane::kernels {
namespace {

constexpr std::size_t kBlockPixels = 16, kBlockChannels = 8;

[[gnu::always_inline]] inline void store_sums(std::int32_t* to, __m256i sums) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), sums);
}
[[gnu::always_inline]] inline void store_sums(float* to, __m256i sums) {
  _mm256_storeu_ps(to, _mm256_cvtepi32_ps(sums));
}

/// 8 channels of 16 pixels: 8 x 8 words in each half of the registers.
template <class T>
[[gnu::always_inline]] inline void transpose_block(const std::int16_t* sums, std::size_t sum_stride, T* to,
                                                   std::size_t stride) {
  __m256i rows[8], pairs[8], quads[8];
  unroll<8>([&](auto c) __attribute__((always_inline)) {
    rows[c] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(sums + c * sum_stride));
  });
  unroll<4>([&](auto i) __attribute__((always_inline)) {
    pairs[2 * i] = _mm256_unpacklo_epi16(rows[2 * i], rows[2 * i + 1]);
    pairs[2 * i + 1] = _mm256_unpackhi_epi16(rows[2 * i], rows[2 * i + 1]);
  });
  unroll<2>([&](auto h) __attribute__((always_inline)) {
    unroll<2>([&](auto i) __attribute__((always_inline)) {
      quads[4 * h + 2 * i] = _mm256_unpacklo_epi32(pairs[4 * h + i], pairs[4 * h + 2 + i]);
      quads[4 * h + 2 * i + 1] = _mm256_unpackhi_epi32(pairs[4 * h + i], pairs[4 * h + 2 + i]);
    });
  });
  unroll<8>([&](auto pixel) __attribute__((always_inline)) {
    const __m256i of_both = pixel % 2 == 0 ? _mm256_unpacklo_epi64(quads[pixel / 2], quads[4 + pixel / 2])
                                           : _mm256_unpackhi_epi64(quads[pixel / 2], quads[4 + pixel / 2]);
    store_sums(to + pixel * stride, _mm256_cvtepi16_epi32(_mm256_castsi256_si128(of_both)));
    store_sums(to + (8 + pixel) * stride, _mm256_cvtepi16_epi32(_mm256_extracti128_si256(of_both, 1)));
  });
}

template <class T>
void transpose_sums_to(const LaneTransposition& of, T* out) noexcept {
  for (std::size_t c = 0; c < of.channels; c += kBlockChannels) {
    const std::size_t channels = of.channels - c < kBlockChannels ? of.channels - c : kBlockChannels;
    for (std::size_t p = 0; p < of.pixels; p += kBlockPixels) {
      const std::size_t pixels = of.pixels - p < kBlockPixels ? of.pixels - p : kBlockPixels;
      const std::int16_t* from = of.sums + c * of.sum_stride + p;
      T* to = out + p * of.out_stride + c;
      if (channels == kBlockChannels && pixels == kBlockPixels) {
        transpose_block(from, of.sum_stride, to, of.out_stride);
        continue;
      }
      alignas(32) T block[kBlockPixels * kBlockChannels];
      transpose_block(from, of.sum_stride, block, kBlockChannels);
      for (std::size_t i = 0; i < pixels; ++i) {
        for (std::size_t k = 0; k < channels; ++k) to[i * of.out_stride + k] = block[i * kBlockChannels + k];
      }
    }
  }
}

void transpose_sums(const LaneTransposition& of) noexcept {
  if (of.z != nullptr) return transpose_sums_to(of, of.z);
  transpose_sums_to(of, of.integers);
}

}  // namespace
}  // namespace bitplane::kernels
