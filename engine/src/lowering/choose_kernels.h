// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bitplane/kernels/bitserial.h"
#include "bitplane/kernels/epilogue.h"
#include "bitplane/kernels/f32.h"
#include "bitplane/kernels/isa.h"

namespace bitplane::engine {

/// One kernel per family, for every step of a session.
struct KernelChoice {
  kernels::Isa isa;
  const kernels::F32Kernels* f32;
  const kernels::BitSerialKernels* bitserial;
  const kernels::EpilogueKernels* epilogue;
};

/// Pure: the same features give the same kernels, on any host.
[[nodiscard]] inline KernelChoice choose_kernels(kernels::CpuFeatures features) noexcept {
  return {.isa = features.best(),
          .f32 = &kernels::select_f32(features),
          .bitserial = &kernels::select_bitserial(features),
          .epilogue = &kernels::select_epilogue(features)};
}

}  // namespace bitplane::engine
