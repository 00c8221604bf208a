// SPDX-License-Identifier: Apache-2.0
#include <arm_neon.h>

#include "elementwise/elementwise_table.h"
#include "elementwise/xsimd_floats.h"

namespace bitplane::kernels {
namespace {

struct NeonLevel {
  using Arch = xsimd::neon64;
  static constexpr std::size_t kRegisters = 32;
  static float32x4_t fma(float32x4_t a, float32x4_t b, float32x4_t c) { return vfmaq_f32(c, a, b); }
  static float32x4_t div(float32x4_t a, float32x4_t b) { return vdivq_f32(a, b); }
  static float32x4_t root(float32x4_t a) { return vsqrtq_f32(a); }
  static float32x4_t truncated(float32x4_t a) { return vrndq_f32(a); }
  static float32x4_t lookup(const float* table, float32x4_t index) {
    std::int32_t at[4];
    vst1q_s32(at, vcvtq_s32_f32(index));
    const float found[4] = {table[at[0]], table[at[1]], table[at[2]], table[at[3]]};
    return vld1q_f32(found);
  }
};

}  // namespace

constinit const ElementwiseKernels kElementwiseNeon =
    make_elementwise_kernels<XsimdFloats<NeonLevel>>(kElementwiseInfos[3]);

}  // namespace bitplane::kernels
