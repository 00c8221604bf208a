// SPDX-License-Identifier: Apache-2.0
//
// The registry's entries of family `f32`: the one place of a kernel's name and tile. Internal linkage on
// purpose: the per-ISA objects read the names at compile time and must not define a shared symbol.
#pragma once

#include "bitplane/kernels/registry.h"

namespace bitplane::kernels {

constexpr KernelInfo kF32Infos[] = {
    {.name = "f32_gather_2x4_scalar", .family = Family::F32, .isa = Isa::Scalar, .tile = "2 x 4 outputs"},
    {.name = "f32_gather_6x16_avx2", .family = Family::F32, .isa = Isa::Avx2, .tile = "6 x 16 outputs"},
    {.name = "f32_gather_6x64_avx512", .family = Family::F32, .isa = Isa::Avx512, .tile = "6 x 64 outputs"},
    {.name = "f32_gather_6x16_neon", .family = Family::F32, .isa = Isa::Neon, .tile = "6 x 16 outputs"},
};

}  // namespace bitplane::kernels
