// SPDX-License-Identifier: Apache-2.0
#include <arm_neon.h>

#include "f32/f32_infos.h"
#include "f32/f32_kernels.h"
#include "f32/gather_tile.h"

namespace bitplane::kernels {
namespace {

/// 6 rows x 4 vectors: 24 accumulators, four of b and an element of a are 29 of 32 registers. The element
/// stays a scalar: fmla multiplies by one lane, so that nothing is spent on copying it to all of them. GCC
/// 12, per step: 24 fmla, 2 ldp and 6 ldr of floats, 4 instructions for the offset, the address of b and the
/// loop; no stack (cmake/BitplaneIsas.cmake: without scheduling before register allocation).
struct NeonLanes {
  static constexpr std::size_t kLanes = 4, kMaxRows = 6, kMaxVectors = 4;
  using Vector = float32x4_t;
  using Mask = std::size_t;  ///< number of lanes, 1 to 4: there are no masked loads

  static Mask mask(std::size_t count) { return count; }
  static Vector zero() { return vdupq_n_f32(0.0F); }
  static float broadcast(const float* p) { return *p; }
  static Vector fma(float x, Vector y, Vector z) { return vfmaq_n_f32(z, y, x); }
  static Vector load(const float* p) { return vld1q_f32(p); }
  static Vector load(const float* p, Mask count) {
    if (count == kLanes) return vld1q_f32(p);
    if (count == 1) return vld1q_lane_f32(p, zero(), 0);
    const Vector two = vcombine_f32(vld1_f32(p), vdup_n_f32(0.0F));
    return count == 2 ? two : vld1q_lane_f32(p + 2, two, 2);
  }
  static void store(float* p, Vector x) { vst1q_f32(p, x); }
  static void store(float* p, Vector x, Mask count) {
    if (count == kLanes) return vst1q_f32(p, x);
    if (count == 1) return vst1q_lane_f32(p, x, 0);
    vst1_f32(p, vget_low_f32(x));
    if (count == 3) vst1q_lane_f32(p + 2, x, 2);
  }
};

}  // namespace

constinit const F32Kernels kF32Neon{
    .name = kF32Infos[3].name, .isa = Isa::Neon, .gather_gemm = gather_gemm<NeonLanes>};

}  // namespace bitplane::kernels
