// SPDX-License-Identifier: Apache-2.0
#include <immintrin.h>

#include "epilogue/epilogue_infos.h"
#include "epilogue/epilogue_kernel.h"
#include "epilogue/epilogue_table.h"

namespace bitplane::kernels {
namespace {

struct Avx2 {
  using Floats = __m256;
  static constexpr std::size_t kLanes = 8;

  static __m256i lanes_below(std::size_t count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static Floats load(const float* p, std::size_t count) {
    return count == kLanes ? _mm256_loadu_ps(p) : _mm256_maskload_ps(p, lanes_below(count));
  }
  static void store(float* p, Floats x, std::size_t count) {
    if (count == kLanes) {
      _mm256_storeu_ps(p, x);
    } else {
      _mm256_maskstore_ps(p, lanes_below(count), x);
    }
  }
  static Floats fma(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
  static Floats add(Floats a, Floats b) { return _mm256_add_ps(a, b); }
  // max returns its second operand if both are zeros: -0 becomes +0.
  static Floats relu(Floats x) { return _mm256_max_ps(x, _mm256_setzero_ps()); }
  static __m256 compare(Floats x, float threshold) {
    return _mm256_cmp_ps(x, _mm256_set1_ps(threshold), _CMP_GT_OQ);
  }
  static std::uint32_t greater(Floats x, float threshold) {
    return static_cast<std::uint32_t>(_mm256_movemask_ps(compare(x, threshold)));
  }
  static void store_count_greater(Floats x, const float* thresholds, std::size_t count, std::uint8_t* out,
                                  std::size_t channels) {
    __m256i ranks = _mm256_setzero_si256();
    for (std::size_t l = 0; l < count; ++l) {
      ranks = _mm256_sub_epi32(ranks, _mm256_castps_si256(compare(x, thresholds[l])));
    }
    const __m128i halves = _mm_packs_epi32(_mm256_castsi256_si128(ranks), _mm256_extracti128_si256(ranks, 1));
    const auto bytes = static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm_packus_epi16(halves, halves)));
    __builtin_memcpy(out, &bytes, channels);
  }
};

}  // namespace

constinit const EpilogueKernels kEpilogueAvx2{kEpilogueInfos[1].name, Isa::Avx2, apply_epilogue<Avx2>};

}  // namespace bitplane::kernels
