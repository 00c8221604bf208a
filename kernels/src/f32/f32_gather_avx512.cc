// SPDX-License-Identifier: Apache-2.0
#include <immintrin.h>

#include "f32/f32_infos.h"
#include "f32/f32_kernels.h"
#include "f32/gather_tile.h"

namespace bitplane::kernels {
namespace {

/// 6 rows x 4 vectors: 24 accumulators, four of b and one broadcast of 32 registers.
struct Avx512Lanes {
  static constexpr std::size_t kLanes = 16, kMaxRows = 6, kMaxVectors = 4;
  using Vector = __m512;
  using Mask = __mmask16;

  static Mask mask(std::size_t count) { return static_cast<Mask>((1U << count) - 1U); }
  static Vector zero() { return _mm512_setzero_ps(); }
  static Vector broadcast(const float* p) { return _mm512_set1_ps(*p); }
  static Vector fma(Vector x, Vector y, Vector z) { return _mm512_fmadd_ps(x, y, z); }
  static Vector load(const float* p) { return _mm512_loadu_ps(p); }
  static Vector load(const float* p, Mask m) { return _mm512_maskz_loadu_ps(m, p); }
  static void store(float* p, Vector x) { _mm512_storeu_ps(p, x); }
  static void store(float* p, Vector x, Mask m) { _mm512_mask_storeu_ps(p, m, x); }
};

}  // namespace

constinit const F32Kernels kF32Avx512{
    .name = kF32Infos[2].name, .isa = Isa::Avx512, .gather_gemm = gather_gemm<Avx512Lanes>};

}  // namespace bitplane::kernels
