// SPDX-License-Identifier: Apache-2.0
//
// What the kernels of 512-bit registers share: results, weights' codes, activations' planes. Included by the
// per-ISA files only.
#pragma once

#include "bitserial/intrinsics.h"
#include "dot/expand_kernel.h"
#include "dot/panel_kernel.h"

namespace bitplane::kernels {
namespace {

/// 16 output channels in 16 dword lanes, four products per lane and VPDPBUSD, modulo 2^32.
struct Avx512Lanes {
  using Weights = __m512i;
  using Pixels = __m512i;
  using Counter = __m512i;
  using Ints = __m512i;
  static constexpr std::size_t kLanes = 16;
  static constexpr bool kScarceRegisters = false;
  static constexpr DotTiles tiles(std::size_t registers) {
    return registers == 4 ? DotTiles{4, {6, 4, 2, 1}} : DotTiles{4, {12, 6, 2, 1}};
  }

  static Weights load_weights(const std::byte* p) { return _mm512_loadu_si512(p); }
  static Pixels load_pixels(const std::byte* p) {
    std::int32_t four;
    __builtin_memcpy(&four, p, sizeof(four));
    return _mm512_set1_epi32(four);
  }
  static Counter zero() { return _mm512_setzero_si512(); }
  static void add(Counter& counter, Pixels x, Weights w) { counter = _mm512_dpbusd_epi32(counter, x, w); }
  static Ints sums(Counter counter) { return counter; }

  static __mmask16 first(std::size_t count) { return static_cast<__mmask16>((1U << count) - 1U); }
  static Ints load(const std::byte* p, std::size_t count) {
    return _mm512_maskz_loadu_epi32(first(count), p);
  }
  static Ints add(Ints a, Ints b) { return _mm512_add_epi32(a, b); }
  static void store(std::byte* p, Ints x, std::size_t count) { _mm512_mask_storeu_epi32(p, first(count), x); }
  static void store_floats(std::byte* p, Ints x, std::size_t count) {
    _mm512_mask_storeu_ps(p, first(count), _mm512_cvtepi32_ps(x));
  }

  using Bytes = __m512i;
  static Bytes load_bytes(const std::byte* p) { return _mm512_loadu_si512(p); }
  static void store_bytes(std::byte* p, Bytes x) { _mm512_storeu_si512(p, x); }
  static Bytes broadcast_table(const std::byte* values) {
    return _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(values)));
  }
  template <int kShift, int kMask>
  static Bytes field(Bytes x) {
    const Bytes shifted = kShift == 0 ? x : _mm512_srli_epi16(x, kShift);
    return _mm512_and_si512(shifted, _mm512_set1_epi8(kMask));
  }
  static Bytes look_up(Bytes table, Bytes index) { return _mm512_shuffle_epi8(table, index); }
};

/// 64 byte elements; the bits of a plane are the mask of an addition.
struct Avx512ByteElements {
  using Vector = __m512i;
  static constexpr std::size_t kBits = 64, kElementBytes = 1;
  static Vector set(std::uint16_t value) { return _mm512_set1_epi8(static_cast<char>(value)); }
  static Vector add_where(Vector x, std::uint64_t bits, Vector value) {
    return _mm512_mask_add_epi8(x, bits, x, value);
  }
  static void store(std::byte* p, Vector x) { _mm512_storeu_si512(p, x); }
};

}  // namespace
}  // namespace bitplane::kernels
