// SPDX-License-Identifier: Apache-2.0
#include "bitserial/intrinsics.h"
#include "epilogue/epilogue_infos.h"
#include "epilogue/epilogue_kernel.h"
#include "epilogue/epilogue_table.h"

namespace bitplane::kernels {
namespace {

struct Avx512 {
  using Floats = __m512;
  using Ints = __m512i;
  static constexpr std::size_t kLanes = 16;

  static __mmask16 lanes_below(std::size_t count) { return static_cast<__mmask16>((1U << count) - 1U); }
  static Floats load(const float* p, std::size_t count) {
    return count == kLanes ? _mm512_loadu_ps(p) : _mm512_maskz_loadu_ps(lanes_below(count), p);
  }
  static Ints load(const std::int32_t* p, std::size_t count) {
    return count == kLanes ? _mm512_loadu_si512(p) : _mm512_maskz_loadu_epi32(lanes_below(count), p);
  }
  static void store(float* p, Floats x, std::size_t count) {
    if (count == kLanes) {
      _mm512_storeu_ps(p, x);
    } else {
      _mm512_mask_storeu_ps(p, lanes_below(count), x);
    }
  }
  static Floats broadcast(float x) { return _mm512_set1_ps(x); }
  static Ints broadcast(std::int32_t x) { return _mm512_set1_epi32(x); }
  static Floats fma(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
  static Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
  // max returns its second operand if both are zeros: -0 becomes +0.
  static Floats relu(Floats x) { return _mm512_max_ps(x, _mm512_setzero_ps()); }
  static Floats larger(Floats x, Floats best) { return _mm512_max_ps(x, best); }
  static Ints bit_xor(Ints a, Ints b) { return _mm512_xor_si512(a, b); }
  static __mmask16 compare(Floats a, Floats b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
  static std::uint32_t greater(Floats a, Floats b) { return compare(a, b); }
  static std::uint32_t greater(Ints a, Ints b) { return _mm512_cmpgt_epi32_mask(a, b); }
  static Ints add_one(Ints counts, __mmask16 where) {
    return _mm512_mask_add_epi32(counts, where, counts, _mm512_set1_epi32(1));
  }
  static Ints count_greater(Ints counts, Floats a, Floats b) { return add_one(counts, compare(a, b)); }
  static Ints count_greater(Ints counts, Ints a, Ints b) {
    return add_one(counts, _mm512_cmpgt_epi32_mask(a, b));
  }
  /// One permutation looks up 32 entries; the tree's last level has 128.
  static Floats entries_of_32(Ints nodes, const float* tree) {
    return _mm512_permutex2var_ps(_mm512_loadu_ps(tree), nodes, _mm512_loadu_ps(tree + 16));
  }
  static Floats entries(Ints nodes, const float* tree, unsigned level) {
    if (level <= 3) return _mm512_permutexvar_ps(nodes, _mm512_loadu_ps(tree));
    if (level == 4) return _mm512_permutexvar_ps(nodes, _mm512_loadu_ps(tree + 16));
    if (level == 5) return entries_of_32(nodes, tree + 32);
    const auto upper = _mm512_test_epi32_mask(nodes, _mm512_set1_epi32(32));
    if (level == 6)
      return _mm512_mask_blend_ps(upper, entries_of_32(nodes, tree + 64), entries_of_32(nodes, tree + 96));
    const auto last = _mm512_test_epi32_mask(nodes, _mm512_set1_epi32(64));
    return _mm512_mask_blend_ps(
        last, _mm512_mask_blend_ps(upper, entries_of_32(nodes, tree + 128), entries_of_32(nodes, tree + 160)),
        _mm512_mask_blend_ps(upper, entries_of_32(nodes, tree + 192), entries_of_32(nodes, tree + 224)));
  }
  static Ints descend(Ints nodes, Floats t, const float* tree, unsigned level) {
    return count_greater(_mm512_add_epi32(nodes, nodes), t, entries(nodes, tree, level));
  }
  static void store_bytes(std::uint8_t* p, Ints x, std::size_t count) {
    if (count == kLanes) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(x));
    } else {
      _mm512_mask_cvtepi32_storeu_epi8(p, lanes_below(count), x);
    }
  }
  static void map_codes(std::uint8_t* bytes, const std::uint8_t* table) {
    const __m512i ranks = _mm512_loadu_si512(bytes);
    const auto look_up = [&](std::size_t first) {
      return _mm512_permutex2var_epi8(_mm512_loadu_si512(table + first), ranks,
                                      _mm512_loadu_si512(table + first + 64));
    };
    _mm512_storeu_si512(bytes, _mm512_mask_blend_epi8(_mm512_movepi8_mask(ranks), look_up(0), look_up(128)));
  }
  static std::uint64_t plane_word(const std::uint8_t* codes, std::size_t plane) {
    return _mm512_test_epi8_mask(_mm512_loadu_si512(codes), _mm512_set1_epi8(static_cast<char>(1U << plane)));
  }
};

}  // namespace

constinit const EpilogueKernels kEpilogueAvx512{kEpilogueInfos[2].name, Isa::Avx512, apply_epilogue<Avx512>,
                                                max_window<Avx512>};

}  // namespace bitplane::kernels
