// SPDX-License-Identifier: Apache-2.0
//
// The instruction sets that were compiled in, as one constant (lists of tables have an #ifdef for each).
#pragma once

#include <cstdint>

#include "bitplane/kernels/isa.h"

namespace bitplane::kernels {

constexpr std::uint32_t isa_bit(Isa isa) {
  return 1U << static_cast<unsigned>(isa);
}

inline constexpr std::uint32_t kBuiltIsas = 0
#ifdef BITPLANE_HAVE_SCALAR
                                            | isa_bit(Isa::Scalar)
#endif
#ifdef BITPLANE_HAVE_NEON
                                            | isa_bit(Isa::Neon)
#endif
#ifdef BITPLANE_HAVE_NEONDOT
                                            | isa_bit(Isa::NeonDot)
#endif
#ifdef BITPLANE_HAVE_AVX2
                                            | isa_bit(Isa::Avx2)
#endif
#ifdef BITPLANE_HAVE_AVXVNNI
                                            | isa_bit(Isa::AvxVnni)
#endif
#ifdef BITPLANE_HAVE_AVX512
                                            | isa_bit(Isa::Avx512)
#endif
#ifdef BITPLANE_HAVE_AVX512BF16
                                            | isa_bit(Isa::Avx512Bf16)
#endif
#ifdef BITPLANE_HAVE_AMX
                                            | isa_bit(Isa::Amx)
#endif
    ;
static_assert((kBuiltIsas & isa_bit(Isa::Scalar)) != 0, "scalar is the fallback of every selection");

}  // namespace bitplane::kernels
