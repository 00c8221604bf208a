// SPDX-License-Identifier: Apache-2.0
#include "bitplane/kernels/elementwise.h"

#include "elementwise/elementwise_kernels.h"

namespace bitplane::kernels {
namespace {

/// Best first.
constexpr const ElementwiseKernels* kTables[] = {
#ifdef BITPLANE_HAVE_AVX512
    &kElementwiseAvx512,
#endif
#ifdef BITPLANE_HAVE_AVX2
    &kElementwiseAvx2,
#endif
#ifdef BITPLANE_HAVE_NEON
    &kElementwiseNeon,
#endif
    &kElementwiseScalar,
};

}  // namespace

const ElementwiseKernels& select_elementwise(CpuFeatures features) noexcept {
  for (const ElementwiseKernels* table : kTables) {
    if (features.has(table->isa)) return *table;
  }
  return kElementwiseScalar;
}

}  // namespace bitplane::kernels
