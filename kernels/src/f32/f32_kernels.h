// SPDX-License-Identifier: Apache-2.0
//
// The tables that the per-ISA objects of family `f32` export; each object exports exactly one symbol.
#pragma once

#include "bitplane/kernels/f32.h"

namespace bitplane::kernels {

extern const F32Kernels kF32Scalar;
extern const F32Kernels kF32Avx2;
extern const F32Kernels kF32Avx512;
extern const F32Kernels kF32Neon;

}  // namespace bitplane::kernels
