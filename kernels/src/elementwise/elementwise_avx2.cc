// SPDX-License-Identifier: Apache-2.0
#include <immintrin.h>

#include "elementwise/elementwise_table.h"
#include "elementwise/xsimd_floats.h"

namespace bitplane::kernels {
namespace {

struct Avx2Level {
  using Arch = xsimd::fma3<xsimd::avx2>;
  static constexpr std::size_t kRegisters = 16;
  static __m256 fma(__m256 a, __m256 b, __m256 c) { return _mm256_fmadd_ps(a, b, c); }
  static __m256 div(__m256 a, __m256 b) { return _mm256_div_ps(a, b); }
  static __m256 root(__m256 a) { return _mm256_sqrt_ps(a); }
  static __m256 truncated(__m256 a) { return _mm256_round_ps(a, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC); }
  static __m256 lookup(const float* table, __m256 index) {
    return _mm256_i32gather_ps(table, _mm256_cvttps_epi32(index), sizeof(float));
  }
};

}  // namespace

constinit const ElementwiseKernels kElementwiseAvx2 =
    make_elementwise_kernels<XsimdFloats<Avx2Level>>(kElementwiseInfos[1]);

}  // namespace bitplane::kernels
