// SPDX-License-Identifier: Apache-2.0
#include <immintrin.h>

#include "elementwise/elementwise_table.h"
#include "elementwise/xsimd_floats.h"

namespace bitplane::kernels {
namespace {

/// avx512f has all that these loops use; xsimd's higher levels ask for AVX-512 CD, which ours does not
/// promise.
struct Avx512Level {
  using Arch = xsimd::avx512f;
  static constexpr std::size_t kRegisters = 32;
  static constexpr __mmask16 kAll = 0xFFFF;
  static __m512 fma(__m512 a, __m512 b, __m512 c) { return _mm512_fmadd_ps(a, b, c); }
  static __m512 div(__m512 a, __m512 b) { return _mm512_div_ps(a, b); }
  /// Masked: GCC 12 warns of the undefined pass-through of the plain forms.
  static __m512 root(__m512 a) { return _mm512_maskz_sqrt_ps(kAll, a); }
  static __m512 truncated(__m512 a) {
    return _mm512_maskz_roundscale_ps(kAll, a, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
  }
  static __m512 lookup(const float* table, __m512 index) {
    return _mm512_mask_i32gather_ps(_mm512_setzero_ps(), kAll, _mm512_maskz_cvttps_epi32(kAll, index), table,
                                    sizeof(float));
  }
};

}  // namespace

constinit const ElementwiseKernels kElementwiseAvx512 =
    make_elementwise_kernels<XsimdFloats<Avx512Level>>(kElementwiseInfos[2]);

}  // namespace bitplane::kernels
