// SPDX-License-Identifier: Apache-2.0
#include "epilogue/epilogue_table.h"

namespace bitplane::kernels {

const EpilogueKernels& select_epilogue(CpuFeatures features) noexcept {
#ifdef BITPLANE_HAVE_AVX512
  if (features.has(Isa::Avx512)) return kEpilogueAvx512;
#endif
#ifdef BITPLANE_HAVE_AVX2
  if (features.has(Isa::Avx2)) return kEpilogueAvx2;
#endif
#ifdef BITPLANE_HAVE_NEON
  if (features.has(Isa::Neon)) return kEpilogueNeon;
#endif
  static_cast<void>(features);
  return kEpilogueScalar;
}

}  // namespace bitplane::kernels
