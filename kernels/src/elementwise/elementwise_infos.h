// SPDX-License-Identifier: Apache-2.0
//
// The registry's entries of family `elementwise`: the one place of a kernel's name and tile. Internal linkage
// on purpose: the per-ISA objects read the names at compile time and must not define a shared symbol.
#pragma once

#include "bitplane/kernels/registry.h"

namespace bitplane::kernels {

constexpr KernelInfo kElementwiseInfos[] = {
    {.name = "elementwise_scalar",
     .family = Family::Elementwise,
     .isa = Isa::Scalar,
     .tile = "1 x 16 floats"},
    {.name = "elementwise_avx2", .family = Family::Elementwise, .isa = Isa::Avx2, .tile = "2 x 8 floats"},
    {.name = "elementwise_avx512",
     .family = Family::Elementwise,
     .isa = Isa::Avx512,
     .tile = "1 x 16 floats"},
    {.name = "elementwise_neon", .family = Family::Elementwise, .isa = Isa::Neon, .tile = "4 x 4 floats"},
};

}  // namespace bitplane::kernels
