// SPDX-License-Identifier: Apache-2.0
//
// The registry's entries of family `bf16`: the one place of a kernel's name and tile. Internal linkage on
// purpose: the per-ISA objects read the names at compile time and must not define a shared symbol.
#pragma once

#include "bitplane/kernels/registry.h"

namespace bitplane::kernels {

constexpr KernelInfo kBf16Infos[] = {
    {.name = "bf16_6x64_avx512bf16",
     .family = Family::Bf16,
     .isa = Isa::Avx512Bf16,
     .tile = "6 x 64 outputs"},
    {.name = "bf16_32x32_amx", .family = Family::Bf16, .isa = Isa::Amx, .tile = "32 x 32 outputs"},
};

}  // namespace bitplane::kernels
