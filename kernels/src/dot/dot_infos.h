// SPDX-License-Identifier: Apache-2.0
//
// The registry's entries of family `dot`: the one place of a kernel's name and tile. Internal linkage on
// purpose: the per-ISA objects read the names at compile time and must not define a shared symbol.
#pragma once

#include "bitplane/kernels/registry.h"

namespace bitplane::kernels {

constexpr KernelInfo kDotInfos[] = {
    {.name = "dot_16x6_avx2", .family = Family::Dot, .isa = Isa::Avx2, .tile = "16 channels x 6 pixels"},
    {.name = "dot_16x6_avxvnni",
     .family = Family::Dot,
     .isa = Isa::AvxVnni,
     .tile = "16 channels x 6 pixels"},
    {.name = "dot_64x6_avx512", .family = Family::Dot, .isa = Isa::Avx512, .tile = "64 channels x 6 pixels"},
    {.name = "dot_32x32_amx", .family = Family::Dot, .isa = Isa::Amx, .tile = "32 channels x 32 pixels"},
    {.name = "dot_16x6_neondot",
     .family = Family::Dot,
     .isa = Isa::NeonDot,
     .tile = "16 channels x 6 pixels"},
    {.name = "dot_8x2_scalar", .family = Family::Dot, .isa = Isa::Scalar, .tile = "8 channels x 2 pixels"},
};

}  // namespace bitplane::kernels
