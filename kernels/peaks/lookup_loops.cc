// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstdint>

#include "peaks/loops.h"

namespace bitplane::peaks {
namespace {

#ifdef BITPLANE_HAVE_AVX2
void lookup_avx2() {
  auto rounds = static_cast<std::uint64_t>(kPeakRounds);
  asm volatile(
      "1:\n"
      "vpshufb %%ymm15, %%ymm14, %%ymm6\n"
      "vpshufb %%ymm15, %%ymm14, %%ymm7\n"
      "vpshufb %%ymm15, %%ymm14, %%ymm8\n"
      "vpshufb %%ymm15, %%ymm14, %%ymm9\n"
      "vpshufb %%ymm15, %%ymm14, %%ymm10\n"
      "vpshufb %%ymm15, %%ymm14, %%ymm11\n"
      "vpaddb %%ymm6, %%ymm0, %%ymm0\n"
      "vpaddb %%ymm7, %%ymm1, %%ymm1\n"
      "vpaddb %%ymm8, %%ymm2, %%ymm2\n"
      "vpaddb %%ymm9, %%ymm3, %%ymm3\n"
      "vpaddb %%ymm10, %%ymm4, %%ymm4\n"
      "vpaddb %%ymm11, %%ymm5, %%ymm5\n"
      "dec %0\n"
      "jnz 1b\n"
      "vzeroupper\n"
      : "+r"(rounds)
      :
      : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
        "xmm14", "xmm15", "cc");
}
#endif

#ifdef BITPLANE_HAVE_AVX512
void lookup_avx512() {
  auto rounds = static_cast<std::uint64_t>(kPeakRounds);
  asm volatile(
      "1:\n"
      "vpermb %%zmm14, %%zmm15, %%zmm6\n"
      "vpermb %%zmm14, %%zmm15, %%zmm7\n"
      "vpermb %%zmm14, %%zmm15, %%zmm8\n"
      "vpermb %%zmm14, %%zmm15, %%zmm9\n"
      "vpermb %%zmm14, %%zmm15, %%zmm10\n"
      "vpermb %%zmm14, %%zmm15, %%zmm11\n"
      "vpaddb %%zmm6, %%zmm0, %%zmm0\n"
      "vpaddb %%zmm7, %%zmm1, %%zmm1\n"
      "vpaddb %%zmm8, %%zmm2, %%zmm2\n"
      "vpaddb %%zmm9, %%zmm3, %%zmm3\n"
      "vpaddb %%zmm10, %%zmm4, %%zmm4\n"
      "vpaddb %%zmm11, %%zmm5, %%zmm5\n"
      "dec %0\n"
      "jnz 1b\n"
      "vzeroupper\n"
      : "+r"(rounds)
      :
      : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
        "xmm14", "xmm15", "cc");
}
#endif

/// The first entry is no loop: a list may not be empty where no vector instruction set was built.
constexpr PeakLoop kLoops[] = {
    {},
#ifdef BITPLANE_HAVE_AVX2
    {kLookupPeak, kernels::Isa::Avx2, "vpshufb, vpaddb ymm", "Gweight-bit-MAC/s", 6 * 32 * 4 * kPeakRounds,
     lookup_avx2},
#endif
#ifdef BITPLANE_HAVE_AVX512
    {kLookupPeak, kernels::Isa::Avx512, "vpermb, vpaddb zmm", "Gweight-bit-MAC/s", 6 * 64 * 6 * kPeakRounds,
     lookup_avx512},
#endif
};

}  // namespace

std::span<const PeakLoop> lookup_loops() {
  return std::span(kLoops).subspan(1);
}

}  // namespace bitplane::peaks
