// SPDX-License-Identifier: Apache-2.0
//
// The registry's entries of family `lut`: the one place of a kernel's name and tile. Internal linkage on
// purpose: the per-ISA objects read the names at compile time and must not define a shared symbol.
#pragma once

#include "bitplane/kernels/registry.h"

namespace bitplane::kernels {

constexpr KernelInfo kLutInfos[] = {
    {.name = "lut_64x4_avx2", .family = Family::Lut, .isa = Isa::Avx2, .tile = "64 plane rows x 4 pixels"},
    {.name = "lut_256x2_avx512",
     .family = Family::Lut,
     .isa = Isa::Avx512,
     .tile = "256 plane rows x 2 pixels"},
    {.name = "lut_weights_64x4_avx2",
     .family = Family::Lut,
     .isa = Isa::Avx2,
     .tile = "64 plane pixels x 4 channels"},
    {.name = "lut_32x8_neon", .family = Family::Lut, .isa = Isa::Neon, .tile = "32 plane rows x 8 pixels"},
    {.name = "lut_pixels_1x96_avx2",
     .family = Family::Lut,
     .isa = Isa::Avx2,
     .tile = "1 channel x 96 pixels"},
};

}  // namespace bitplane::kernels
