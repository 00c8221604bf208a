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
  static __m512 fma(__m512 a, __m512 b, __m512 c) { return _mm512_fmadd_ps(a, b, c); }
  static __m512 div(__m512 a, __m512 b) { return _mm512_div_ps(a, b); }
  /// Masked: GCC 12 warns of the undefined pass-through of the plain form.
  static __m512 root(__m512 a) { return _mm512_maskz_sqrt_ps(0xFFFF, a); }
};

}  // namespace

constinit const ElementwiseKernels kElementwiseAvx512 =
    make_elementwise_kernels<XsimdFloats<Avx512Level>>(kElementwiseInfos[2]);

}  // namespace bitplane::kernels
