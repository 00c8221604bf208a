// SPDX-License-Identifier: Apache-2.0
#include "f32/f32_infos.h"
#include "f32/f32_kernels.h"
#include "f32/gather_tile.h"

namespace bitplane::kernels {
namespace {

struct ScalarLanes {
  static constexpr std::size_t kLanes = 1, kMaxRows = 2, kMaxVectors = 4;
  using Vector = float;
  using Mask = std::size_t;

  static Mask mask(std::size_t count) { return count; }
  static Vector zero() { return 0.0F; }
  static Vector broadcast(const float* p) { return *p; }
  // A call of the C library's fmaf: correctly rounded everywhere, slow where the CPU has no fma.
  static Vector fma(Vector x, Vector y, Vector z) { return __builtin_fmaf(x, y, z); }
  static Vector load(const float* p) { return *p; }
  static Vector load(const float* p, Mask) { return *p; }
  static void store(float* p, Vector x) { *p = x; }
  static void store(float* p, Vector x, Mask) { *p = x; }
};

}  // namespace

constinit const F32Kernels kF32Scalar{
    .name = kF32Infos[0].name, .isa = Isa::Scalar, .gather_gemm = gather_gemm<ScalarLanes>};

}  // namespace bitplane::kernels
