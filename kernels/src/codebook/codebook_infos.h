// SPDX-License-Identifier: Apache-2.0
//
// The registry's entries of family `codebook`: the one place of a kernel's name and tile. Internal linkage on
// purpose: the per-ISA objects read the names at compile time and must not define a shared symbol.
#pragma once

#include "bitplane/kernels/registry.h"

namespace bitplane::kernels {

constexpr KernelInfo kCodebookInfos[] = {
    {.name = "codebook_16_scalar", .family = Family::Codebook, .isa = Isa::Scalar, .tile = "2 x 4 outputs"},
    {.name = "codebook_16_avx2", .family = Family::Codebook, .isa = Isa::Avx2, .tile = "6 x 16 outputs"},
    {.name = "codebook_16_avx512", .family = Family::Codebook, .isa = Isa::Avx512, .tile = "6 x 64 outputs"},
    {.name = "codebook_16_neon", .family = Family::Codebook, .isa = Isa::Neon, .tile = "6 x 16 outputs"},
};

}  // namespace bitplane::kernels
