// SPDX-License-Identifier: Apache-2.0
#include "bitplane/kernels/dot.h"
#include "dot/panel.h"

namespace bitplane::kernels {

const DotKernels& select_dot(CpuFeatures features) noexcept {
#ifdef BITPLANE_HAVE_AMX
  if (features.has(Isa::Amx)) return kDotAmx;
#endif
#ifdef BITPLANE_HAVE_AVX512
  if (features.has(Isa::Avx512)) return kDotAvx512;
#endif
#ifdef BITPLANE_HAVE_AVXVNNI
  if (features.has(Isa::AvxVnni)) return kDotAvxVnni;
#endif
#ifdef BITPLANE_HAVE_AVX2
  if (features.has(Isa::Avx2)) return kDotAvx2;
#endif
#ifdef BITPLANE_HAVE_NEONDOT
  if (features.has(Isa::NeonDot)) return kDotNeonDot;
#endif
  static_cast<void>(features);
  return kDotScalar;
}

Isa kernel_isa(const DotKernels& kernels) noexcept {
  return kernels.info.isa;
}

std::string_view kernel_name(const DotKernels& kernels) noexcept {
  return kernels.info.name;
}

}  // namespace bitplane::kernels
