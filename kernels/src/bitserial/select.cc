// SPDX-License-Identifier: Apache-2.0
#include "bitplane/kernels/bitserial.h"
#include "bitserial/tile.h"

namespace bitplane::kernels {

const BitSerialKernels& select_bitserial(CpuFeatures features) noexcept {
#ifdef BITPLANE_HAVE_AVX512
  if (features.has(Isa::Avx512)) return kBitSerialAvx512;
#endif
#ifdef BITPLANE_HAVE_AVX2
  if (features.has(Isa::Avx2)) return kBitSerialAvx2;
#endif
#ifdef BITPLANE_HAVE_NEON
  if (features.has(Isa::Neon)) return kBitSerialNeon;
#endif
  static_cast<void>(features);
  return kBitSerialScalar;
}

std::string_view kernel_name(const BitSerialKernels& kernels) noexcept {
  return kernels.info.name;
}
Isa kernel_isa(const BitSerialKernels& kernels) noexcept {
  return kernels.info.isa;
}

}  // namespace bitplane::kernels
