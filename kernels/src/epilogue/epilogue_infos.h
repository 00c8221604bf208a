// SPDX-License-Identifier: Apache-2.0
//
// The registry's entries of family `epilogue`. Internal linkage, as in bitserial_infos.h.
#pragma once

#include "bitplane/kernels/registry.h"

namespace bitplane::kernels {

constexpr KernelInfo kEpilogueInfos[] = {
    {.name = "epilogue_scalar", .family = Family::Epilogue, .isa = Isa::Scalar, .tile = "1 channel"},
    {.name = "epilogue_avx2", .family = Family::Epilogue, .isa = Isa::Avx2, .tile = "8 channels"},
    {.name = "epilogue_avx512", .family = Family::Epilogue, .isa = Isa::Avx512, .tile = "16 channels"},
    {.name = "epilogue_neon", .family = Family::Epilogue, .isa = Isa::Neon, .tile = "16 channels"},
};

}  // namespace bitplane::kernels
