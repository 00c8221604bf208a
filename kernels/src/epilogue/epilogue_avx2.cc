// SPDX-License-Identifier: Apache-2.0
#include <immintrin.h>

#include "epilogue/epilogue_infos.h"
#include "epilogue/epilogue_kernel.h"
#include "epilogue/epilogue_table.h"

namespace bitplane::kernels {
namespace {

struct Avx2 {
  using Floats = __m256;
  using Ints = __m256i;
  static constexpr std::size_t kLanes = 8;

  static Ints lanes_below(std::size_t count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static Floats load(const float* p, std::size_t count) {
    return count == kLanes ? _mm256_loadu_ps(p) : _mm256_maskload_ps(p, lanes_below(count));
  }
  static Ints load(const std::int32_t* p, std::size_t count) {
    return count == kLanes ? load_bytes(p) : _mm256_maskload_epi32(p, lanes_below(count));
  }
  static Ints load_bytes(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
  static void store(float* p, Floats x, std::size_t count) {
    if (count == kLanes) {
      _mm256_storeu_ps(p, x);
    } else {
      _mm256_maskstore_ps(p, lanes_below(count), x);
    }
  }
  static Floats broadcast(float x) { return _mm256_set1_ps(x); }
  static Ints broadcast(std::int32_t x) { return _mm256_set1_epi32(x); }
  static Floats fma(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
  static Floats add(Floats a, Floats b) { return _mm256_add_ps(a, b); }
  // max returns its second operand if both are zeros: -0 becomes +0.
  static Floats relu(Floats x) { return _mm256_max_ps(x, _mm256_setzero_ps()); }
  static Floats larger(Floats x, Floats best) { return _mm256_max_ps(x, best); }
  static Ints bit_xor(Ints a, Ints b) { return _mm256_xor_si256(a, b); }
  static Floats compare(Floats a, Floats b) { return _mm256_cmp_ps(a, b, _CMP_GT_OQ); }
  static std::uint32_t greater(Floats a, Floats b) {
    return static_cast<std::uint32_t>(_mm256_movemask_ps(compare(a, b)));
  }
  static std::uint32_t greater(Ints a, Ints b) {
    return static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(a, b))));
  }
  static Ints count_greater(Ints counts, Floats a, Floats b) {
    return _mm256_sub_epi32(counts, _mm256_castps_si256(compare(a, b)));
  }
  static Ints count_greater(Ints counts, Ints a, Ints b) {
    return _mm256_sub_epi32(counts, _mm256_cmpgt_epi32(a, b));
  }
  /// The nodes' entries: 8 of them are one permutation, 16 are two.
  static Floats entries(Ints nodes, const float* tree, unsigned level) {
    if (level <= 2) return _mm256_permutevar8x32_ps(_mm256_loadu_ps(tree), nodes);
    if (level == 3) return _mm256_permutevar8x32_ps(_mm256_loadu_ps(tree + 8), nodes);
    if (level == 4) {
      return _mm256_blendv_ps(_mm256_permutevar8x32_ps(_mm256_loadu_ps(tree + 16), nodes),
                              _mm256_permutevar8x32_ps(_mm256_loadu_ps(tree + 24), nodes),
                              _mm256_castsi256_ps(_mm256_slli_epi32(nodes, 28)));
    }
    return _mm256_i32gather_ps(tree, nodes, 4);
  }
  static Ints descend(Ints nodes, Floats t, const float* tree, unsigned level) {
    return count_greater(_mm256_add_epi32(nodes, nodes), t, entries(nodes, tree, level));
  }
  static void store_bytes(std::uint8_t* p, Ints x, std::size_t count) {
    const __m128i halves = _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    const auto bytes = static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm_packus_epi16(halves, halves)));
    if (count == kLanes) {
      __builtin_memcpy(p, &bytes, kLanes);
    } else {
      __builtin_memcpy(p, &bytes, count);
    }
  }
  static void map_codes(std::uint8_t* bytes, const std::uint8_t* table) { map_codes_by_byte(bytes, table); }
  static std::uint64_t plane_word(const std::uint8_t* codes, std::size_t plane) {
    const __m128i to_sign_bit = _mm_cvtsi32_si128(static_cast<int>(7 - plane));
    const auto half = [&](std::size_t first) {
      const Ints bits = _mm256_sll_epi16(load_bytes(codes + first), to_sign_bit);
      return static_cast<std::uint64_t>(static_cast<std::uint32_t>(_mm256_movemask_epi8(bits)));
    };
    return half(0) | half(32) << 32;
  }
};

}  // namespace

constinit const EpilogueKernels kEpilogueAvx2{kEpilogueInfos[1].name, Isa::Avx2, apply_epilogue<Avx2>,
                                              max_window<Avx2>};

}  // namespace bitplane::kernels
