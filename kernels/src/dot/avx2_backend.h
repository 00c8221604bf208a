// SPDX-License-Identifier: Apache-2.0
//
// What the kernels of 256-bit registers share: results, weights' codes, activations' planes. Included by the
// per-ISA files only.
#pragma once

#include "bitserial/intrinsics.h"
#include "dot/expand_kernel.h"
#include "dot/panel_kernel.h"

namespace bitplane::kernels {
namespace {

/// 8 output channels in 8 dword lanes.
struct Avx2Lanes {
  using Weights = __m256i;
  using Pixels = __m256i;
  using Ints = __m256i;
  static constexpr std::size_t kLanes = 8;
  static constexpr bool kScarceRegisters = true;
  static constexpr DotTiles tiles(std::size_t registers) {
    return registers == 2 ? DotTiles{4, {6, 4, 2, 1}} : DotTiles{4, {12, 6, 2, 1}};
  }

  static Weights load_weights(const std::byte* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static Pixels load_pixels(const std::byte* p) {
    std::int32_t four;
    __builtin_memcpy(&four, p, sizeof(four));
    return _mm256_set1_epi32(four);
  }

  /// Lanes 0 .. count - 1.
  static __m256i first(std::size_t count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static Ints load(const std::byte* p, std::size_t count) {
    if (count == kLanes) return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return _mm256_maskload_epi32(reinterpret_cast<const int*>(p), first(count));
  }
  static Ints add(Ints a, Ints b) { return _mm256_add_epi32(a, b); }
  static void store(std::byte* p, Ints x, std::size_t count) {
    if (count == kLanes) return _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x);
    _mm256_maskstore_epi32(reinterpret_cast<int*>(p), first(count), x);
  }
  static void store_floats(std::byte* p, Ints x, std::size_t count) {
    store(p, _mm256_castps_si256(_mm256_cvtepi32_ps(x)), count);
  }

  using Bytes = __m256i;
  static Bytes load_bytes(const std::byte* p) { return load_weights(p); }
  static void store_bytes(std::byte* p, Bytes x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x); }
  static Bytes broadcast_table(const std::byte* values) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(values)));
  }
  template <int kShift, int kMask>
  static Bytes field(Bytes x) {
    const Bytes shifted = kShift == 0 ? x : _mm256_srli_epi16(x, kShift);
    return _mm256_and_si256(shifted, _mm256_set1_epi8(kMask));
  }
  static Bytes look_up(Bytes table, Bytes index) { return _mm256_shuffle_epi8(table, index); }
};

/// 32 byte elements: byte i of the register looks at bit i.
struct Avx2ByteElements {
  using Vector = __m256i;
  static constexpr std::size_t kBits = 32, kElementBytes = 1;
  static Vector set(std::uint16_t value) { return _mm256_set1_epi8(static_cast<char>(value)); }
  static Vector add_where(Vector x, std::uint64_t bits, Vector value) {
    const Vector byte_of = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const Vector bit_of = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201U));
    const Vector spread =
        _mm256_shuffle_epi8(_mm256_set1_epi32(static_cast<int>(bits & 0xFFFFFFFFU)), byte_of);
    const Vector set_ones = _mm256_cmpeq_epi8(_mm256_and_si256(spread, bit_of), bit_of);
    return _mm256_add_epi8(x, _mm256_and_si256(set_ones, value));
  }
  static void store(std::byte* p, Vector x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x); }
};

}  // namespace
}  // namespace bitplane::kernels
