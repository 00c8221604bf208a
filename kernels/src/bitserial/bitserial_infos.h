// SPDX-License-Identifier: Apache-2.0
//
// The registry's entries of family `bitserial`: the one place of a kernel's name and tile. Internal linkage
// on purpose: the per-ISA objects read the names at compile time and must not define a shared symbol.
#pragma once

#include "bitplane/kernels/registry.h"

namespace bitplane::kernels {

constexpr KernelInfo kBitSerialInfos[] = {
    {.name = "bitserial_1x4_scalar",
     .family = Family::BitSerial,
     .isa = Isa::Scalar,
     .tile = "1 channel x 4 pixels"},
    {.name = "bitserial_8x4_avx2",
     .family = Family::BitSerial,
     .isa = Isa::Avx2,
     .tile = "8 channels x 4 pixels"},
    {.name = "bitserial_32x6_avx512",
     .family = Family::BitSerial,
     .isa = Isa::Avx512,
     .tile = "32 channels x 6 pixels"},
    {.name = "bitserial_16x2_neon",
     .family = Family::BitSerial,
     .isa = Isa::Neon,
     .tile = "16 channels x 2 pixels"},
    {.name = "bitserial_pixels_4x64_avx512",
     .family = Family::BitSerial,
     .isa = Isa::Avx512,
     .tile = "4 channels x 64 bytes of pixels"},
};

}  // namespace bitplane::kernels
