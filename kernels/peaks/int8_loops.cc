// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstdint>

#include "peaks/loops.h"

namespace bitplane::peaks {
namespace {

#ifdef BITPLANE_HAVE_AVX2
void int8_avx2() {
  auto rounds = static_cast<std::uint64_t>(kPeakRounds);
  asm volatile(
      "1:\n"
      "vpmaddubsw %%ymm14, %%ymm15, %%ymm6\n"
      "vpmaddubsw %%ymm14, %%ymm15, %%ymm7\n"
      "vpmaddubsw %%ymm14, %%ymm15, %%ymm8\n"
      "vpmaddubsw %%ymm14, %%ymm15, %%ymm9\n"
      "vpmaddubsw %%ymm14, %%ymm15, %%ymm10\n"
      "vpmaddubsw %%ymm14, %%ymm15, %%ymm11\n"
      "vpmaddwd %%ymm13, %%ymm6, %%ymm6\n"
      "vpmaddwd %%ymm13, %%ymm7, %%ymm7\n"
      "vpmaddwd %%ymm13, %%ymm8, %%ymm8\n"
      "vpmaddwd %%ymm13, %%ymm9, %%ymm9\n"
      "vpmaddwd %%ymm13, %%ymm10, %%ymm10\n"
      "vpmaddwd %%ymm13, %%ymm11, %%ymm11\n"
      "vpaddd %%ymm6, %%ymm0, %%ymm0\n"
      "vpaddd %%ymm7, %%ymm1, %%ymm1\n"
      "vpaddd %%ymm8, %%ymm2, %%ymm2\n"
      "vpaddd %%ymm9, %%ymm3, %%ymm3\n"
      "vpaddd %%ymm10, %%ymm4, %%ymm4\n"
      "vpaddd %%ymm11, %%ymm5, %%ymm5\n"
      "dec %0\n"
      "jnz 1b\n"
      "vzeroupper\n"
      : "+r"(rounds)
      :
      : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
        "xmm13", "xmm14", "xmm15", "cc");
}

void narrow_int8_avx2() {
  auto rounds = static_cast<std::uint64_t>(kPeakRounds);
  asm volatile(
      "1:\n"
      "vpmaddubsw %%ymm14, %%ymm15, %%ymm6\n"
      "vpmaddubsw %%ymm14, %%ymm15, %%ymm7\n"
      "vpmaddubsw %%ymm14, %%ymm15, %%ymm8\n"
      "vpmaddubsw %%ymm14, %%ymm15, %%ymm9\n"
      "vpmaddubsw %%ymm14, %%ymm15, %%ymm10\n"
      "vpmaddubsw %%ymm14, %%ymm15, %%ymm11\n"
      "vpaddw %%ymm6, %%ymm0, %%ymm0\n"
      "vpaddw %%ymm7, %%ymm1, %%ymm1\n"
      "vpaddw %%ymm8, %%ymm2, %%ymm2\n"
      "vpaddw %%ymm9, %%ymm3, %%ymm3\n"
      "vpaddw %%ymm10, %%ymm4, %%ymm4\n"
      "vpaddw %%ymm11, %%ymm5, %%ymm5\n"
      "dec %0\n"
      "jnz 1b\n"
      "vzeroupper\n"
      : "+r"(rounds)
      :
      : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
        "xmm14", "xmm15", "cc");
}
#endif

#ifdef BITPLANE_HAVE_AVXVNNI
void int8_avxvnni() {
  auto rounds = static_cast<std::uint64_t>(kPeakRounds);
  asm volatile(
      "1:\n"
      "%{vex%} vpdpbusd %%ymm14, %%ymm15, %%ymm0\n"
      "%{vex%} vpdpbusd %%ymm14, %%ymm15, %%ymm1\n"
      "%{vex%} vpdpbusd %%ymm14, %%ymm15, %%ymm2\n"
      "%{vex%} vpdpbusd %%ymm14, %%ymm15, %%ymm3\n"
      "%{vex%} vpdpbusd %%ymm14, %%ymm15, %%ymm4\n"
      "%{vex%} vpdpbusd %%ymm14, %%ymm15, %%ymm5\n"
      "%{vex%} vpdpbusd %%ymm14, %%ymm15, %%ymm6\n"
      "%{vex%} vpdpbusd %%ymm14, %%ymm15, %%ymm7\n"
      "%{vex%} vpdpbusd %%ymm14, %%ymm15, %%ymm8\n"
      "%{vex%} vpdpbusd %%ymm14, %%ymm15, %%ymm9\n"
      "dec %0\n"
      "jnz 1b\n"
      "vzeroupper\n"
      : "+r"(rounds)
      :
      : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm14", "xmm15",
        "cc");
}
#endif

#ifdef BITPLANE_HAVE_AVX512
void int8_avx512() {
  auto rounds = static_cast<std::uint64_t>(kPeakRounds);
  asm volatile(
      "1:\n"
      "vpdpbusd %%zmm14, %%zmm15, %%zmm0\n"
      "vpdpbusd %%zmm14, %%zmm15, %%zmm1\n"
      "vpdpbusd %%zmm14, %%zmm15, %%zmm2\n"
      "vpdpbusd %%zmm14, %%zmm15, %%zmm3\n"
      "vpdpbusd %%zmm14, %%zmm15, %%zmm4\n"
      "vpdpbusd %%zmm14, %%zmm15, %%zmm5\n"
      "vpdpbusd %%zmm14, %%zmm15, %%zmm6\n"
      "vpdpbusd %%zmm14, %%zmm15, %%zmm7\n"
      "vpdpbusd %%zmm14, %%zmm15, %%zmm8\n"
      "vpdpbusd %%zmm14, %%zmm15, %%zmm9\n"
      "dec %0\n"
      "jnz 1b\n"
      "vzeroupper\n"
      : "+r"(rounds)
      :
      : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm14", "xmm15",
        "cc");
}
#endif

#ifdef BITPLANE_HAVE_AMX
/// 4 accumulators, 2 x 2 operands: the tiling that a kernel has registers for.
void int8_amx() {
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
      "tdpbusd %%tmm6, %%tmm4, %%tmm0\n"
      "tdpbusd %%tmm7, %%tmm4, %%tmm1\n"
      "tdpbusd %%tmm6, %%tmm5, %%tmm2\n"
      "tdpbusd %%tmm7, %%tmm5, %%tmm3\n"
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
    {kInt8Peak, kernels::Isa::Avx2, "vpmaddubsw, vpmaddwd, vpaddd ymm", "Gint8-MAC/s", 6 * 32 * kPeakRounds,
     int8_avx2},
    {kNarrowInt8Peak, kernels::Isa::Avx2, "vpmaddubsw, vpaddw ymm", "Gint8-MAC/s", 6 * 32 * kPeakRounds,
     narrow_int8_avx2},
#endif
#ifdef BITPLANE_HAVE_AVXVNNI
    {kInt8Peak, kernels::Isa::AvxVnni, "vpdpbusd ymm", "Gint8-MAC/s", 10 * 32 * kPeakRounds, int8_avxvnni},
#endif
#ifdef BITPLANE_HAVE_AVX512
    {kInt8Peak, kernels::Isa::Avx512, "vpdpbusd zmm", "Gint8-MAC/s", 10 * 64 * kPeakRounds, int8_avx512},
#endif
#ifdef BITPLANE_HAVE_AMX
    {kInt8Peak, kernels::Isa::Amx, "tdpbusd", "Gint8-MAC/s", 4 * 16 * 16 * 64 * kPeakRounds, int8_amx},
#endif
};

}  // namespace

std::span<const PeakLoop> int8_loops() {
  return std::span(kLoops).subspan(1);
}

}  // namespace bitplane::peaks
