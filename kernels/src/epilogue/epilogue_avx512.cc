// SPDX-License-Identifier: Apache-2.0
#include "bitserial/intrinsics.h"
#include "epilogue/epilogue_infos.h"
#include "epilogue/epilogue_kernel.h"
#include "epilogue/epilogue_table.h"

namespace bitplane::kernels {
namespace {

struct Avx512 {
  using Floats = __m512;
  static constexpr std::size_t kLanes = 16;

  static __mmask16 lanes_below(std::size_t count) { return static_cast<__mmask16>((1U << count) - 1U); }
  static Floats load(const float* p, std::size_t count) {
    return _mm512_maskz_loadu_ps(lanes_below(count), p);
  }
  static void store(float* p, Floats x, std::size_t count) {
    _mm512_mask_storeu_ps(p, lanes_below(count), x);
  }
  static Floats fma(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
  static Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
  // max returns its second operand if both are zeros: -0 becomes +0.
  static Floats relu(Floats x) { return _mm512_max_ps(x, _mm512_setzero_ps()); }
  static __mmask16 compare(Floats x, float threshold) {
    return _mm512_cmp_ps_mask(x, _mm512_set1_ps(threshold), _CMP_GT_OQ);
  }
  static std::uint32_t greater(Floats x, float threshold) { return compare(x, threshold); }
  static void store_count_greater(Floats x, const float* thresholds, std::size_t count, std::uint8_t* out,
                                  std::size_t channels) {
    __m512i ranks = _mm512_setzero_si512();
    for (std::size_t l = 0; l < count; ++l) {
      ranks = _mm512_mask_add_epi32(ranks, compare(x, thresholds[l]), ranks, _mm512_set1_epi32(1));
    }
    _mm512_mask_cvtepi32_storeu_epi8(out, lanes_below(channels), ranks);
  }
};

}  // namespace

constinit const EpilogueKernels kEpilogueAvx512{kEpilogueInfos[2].name, Isa::Avx512, apply_epilogue<Avx512>};

}  // namespace bitplane::kernels
