// SPDX-License-Identifier: Apache-2.0
#include <immintrin.h>

#include "f32/f32_infos.h"
#include "f32/f32_kernels.h"
#include "f32/gather_tile.h"

namespace bitplane::kernels {
namespace {

// kLaneMasks + 8 - n has n set lanes, then clear ones.
constexpr std::int32_t kLaneMasks[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};

/// 6 rows x 2 vectors: 12 accumulators, two of b and one broadcast leave one register of 16 for the mask.
struct Avx2Lanes {
  static constexpr std::size_t kLanes = 8, kMaxRows = 6, kMaxVectors = 2;
  using Vector = __m256;
  using Mask = __m256i;

  static Mask mask(std::size_t count) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kLaneMasks + 8 - count));
  }
  static Vector zero() { return _mm256_setzero_ps(); }
  static Vector broadcast(const float* p) { return _mm256_broadcast_ss(p); }
  static Vector fma(Vector x, Vector y, Vector z) { return _mm256_fmadd_ps(x, y, z); }
  static Vector load(const float* p) { return _mm256_loadu_ps(p); }
  static Vector load(const float* p, Mask m) { return _mm256_maskload_ps(p, m); }
  static void store(float* p, Vector x) { _mm256_storeu_ps(p, x); }
  static void store(float* p, Vector x, Mask m) { _mm256_maskstore_ps(p, m, x); }
};

}  // namespace

constinit const F32Kernels kF32Avx2{
    .name = kF32Infos[1].name, .isa = Isa::Avx2, .gather_gemm = gather_gemm<Avx2Lanes>};

}  // namespace bitplane::kernels
