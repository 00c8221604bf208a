// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstdint>

#include "peaks/loops.h"

namespace bitplane::peaks {
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

#ifdef BITPLANE_HAVE_AVX512BF16
void bf16_avx512() {
  auto rounds = static_cast<std::uint64_t>(kPeakRounds);
  asm volatile(
      "vzeroall\n"
      "1:\n"
      "vdpbf16ps %%zmm12, %%zmm12, %%zmm0\n"
      "vdpbf16ps %%zmm12, %%zmm12, %%zmm1\n"
      "vdpbf16ps %%zmm12, %%zmm12, %%zmm2\n"
      "vdpbf16ps %%zmm12, %%zmm12, %%zmm3\n"
      "vdpbf16ps %%zmm12, %%zmm12, %%zmm4\n"
      "vdpbf16ps %%zmm12, %%zmm12, %%zmm5\n"
      "vdpbf16ps %%zmm12, %%zmm12, %%zmm6\n"
      "vdpbf16ps %%zmm12, %%zmm12, %%zmm7\n"
      "vdpbf16ps %%zmm12, %%zmm12, %%zmm8\n"
      "vdpbf16ps %%zmm12, %%zmm12, %%zmm9\n"
      "dec %0\n"
      "jnz 1b\n"
      "vzeroupper\n"
      : "+r"(rounds)
      :
      : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
        "xmm12", "xmm13", "xmm14", "xmm15", "cc");
}
#endif

#ifdef BITPLANE_HAVE_AMX
/// 4 accumulators, 2 x 2 operands of 16 rows x 32 bf16.
void bf16_amx() {
  // palette 1; bytes per row of tiles 0..7 at 16, rows at 48
  alignas(64) std::uint8_t config[64] = {1};
  for (std::size_t tile = 0; tile < 8; ++tile) {
    config[16 + 2 * tile] = 64;
    config[48 + tile] = 16;
  }
  auto rounds = static_cast<std::uint64_t>(kPeakRounds);
  asm volatile(
      "ldtilecfg %1\n"
      "tilezero %%tmm4\n"
      "tilezero %%tmm5\n"
      "tilezero %%tmm6\n"
      "tilezero %%tmm7\n"
      "1:\n"
      "tdpbf16ps %%tmm6, %%tmm4, %%tmm0\n"
      "tdpbf16ps %%tmm7, %%tmm4, %%tmm1\n"
      "tdpbf16ps %%tmm6, %%tmm5, %%tmm2\n"
      "tdpbf16ps %%tmm7, %%tmm5, %%tmm3\n"
      "dec %0\n"
      "jnz 1b\n"
      "tilerelease\n"
      : "+r"(rounds)
      : "m"(config)
      : "cc");
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
#ifdef BITPLANE_HAVE_AVX512BF16
    {kBf16Peak, kernels::Isa::Avx512Bf16, "vdpbf16ps zmm", "Gbf16-MAC/s", 10 * 32 * kPeakRounds, bf16_avx512},
#endif
#ifdef BITPLANE_HAVE_AMX
    {kBf16Peak, kernels::Isa::Amx, "tdpbf16ps", "Gbf16-MAC/s", 4 * 16 * 16 * 32 * kPeakRounds, bf16_amx},
#endif
};

}  // namespace

std::span<const PeakLoop> float_loops() {
  return std::span(kLoops).subspan(1);
}

}  // namespace bitplane::peaks
