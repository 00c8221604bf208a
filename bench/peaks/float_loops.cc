// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstdint>

#include "peaks/loops.h"

namespace bitplane::bench {
namespace {

#ifdef BITPLANE_HAVE_AVX512
void fma_avx512() {
  auto rounds = static_cast<std::uint64_t>(kPeakRounds);
  asm volatile(
      "vzeroall\n"
      "1:\n"
      "vfmadd231ps %%zmm12, %%zmm12, %%zmm0\n"
      "vfmadd231ps %%zmm12, %%zmm12, %%zmm1\n"
      "vfmadd231ps %%zmm12, %%zmm12, %%zmm2\n"
      "vfmadd231ps %%zmm12, %%zmm12, %%zmm3\n"
      "vfmadd231ps %%zmm12, %%zmm12, %%zmm4\n"
      "vfmadd231ps %%zmm12, %%zmm12, %%zmm5\n"
      "vfmadd231ps %%zmm12, %%zmm12, %%zmm6\n"
      "vfmadd231ps %%zmm12, %%zmm12, %%zmm7\n"
      "vfmadd231ps %%zmm12, %%zmm12, %%zmm8\n"
      "vfmadd231ps %%zmm12, %%zmm12, %%zmm9\n"
      "dec %0\n"
      "jnz 1b\n"
      "vzeroupper\n"
      : "+r"(rounds)
      :
      : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
        "xmm12", "xmm13", "xmm14", "xmm15", "cc");
}
#endif

#ifdef BITPLANE_HAVE_AVX2
void fma_avx2() {
  auto rounds = static_cast<std::uint64_t>(kPeakRounds);
  asm volatile(
      "vzeroall\n"
      "1:\n"
      "vfmadd231ps %%ymm12, %%ymm12, %%ymm0\n"
      "vfmadd231ps %%ymm12, %%ymm12, %%ymm1\n"
      "vfmadd231ps %%ymm12, %%ymm12, %%ymm2\n"
      "vfmadd231ps %%ymm12, %%ymm12, %%ymm3\n"
      "vfmadd231ps %%ymm12, %%ymm12, %%ymm4\n"
      "vfmadd231ps %%ymm12, %%ymm12, %%ymm5\n"
      "vfmadd231ps %%ymm12, %%ymm12, %%ymm6\n"
      "vfmadd231ps %%ymm12, %%ymm12, %%ymm7\n"
      "vfmadd231ps %%ymm12, %%ymm12, %%ymm8\n"
      "vfmadd231ps %%ymm12, %%ymm12, %%ymm9\n"
      "dec %0\n"
      "jnz 1b\n"
      "vzeroupper\n"
      : "+r"(rounds)
      :
      : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
        "xmm12", "xmm13", "xmm14", "xmm15", "cc");
}
#endif

/// The first entry is no loop: a list may not be empty where no vector instruction set was built.
constexpr PeakLoop kLoops[] = {
    {},
#ifdef BITPLANE_HAVE_AVX2
    {kFmaPeak, kernels::Isa::Avx2, "vfmadd231ps ymm", "Gfma/s", 10 * 8 * kPeakRounds, fma_avx2},
#endif
#ifdef BITPLANE_HAVE_AVX512
    {kFmaPeak, kernels::Isa::Avx512, "vfmadd231ps zmm", "Gfma/s", 10 * 16 * kPeakRounds, fma_avx512},
#endif
};

}  // namespace

std::span<const PeakLoop> float_loops() {
  return std::span(kLoops).subspan(1);
}

}  // namespace bitplane::bench
