// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstdint>

#include "peaks/loops.h"

namespace bitplane::peaks {
namespace {

#ifdef BITPLANE_HAVE_AVX512
void bits_avx512() {
  auto rounds = static_cast<std::uint64_t>(kPeakRounds);
  asm volatile(
      "1:\n"
      "vpandq %%zmm14, %%zmm15, %%zmm6\n"
      "vpandq %%zmm14, %%zmm15, %%zmm7\n"
      "vpandq %%zmm14, %%zmm15, %%zmm8\n"
      "vpandq %%zmm14, %%zmm15, %%zmm9\n"
      "vpandq %%zmm14, %%zmm15, %%zmm10\n"
      "vpandq %%zmm14, %%zmm15, %%zmm11\n"
      "vpopcntq %%zmm6, %%zmm6\n"
      "vpopcntq %%zmm7, %%zmm7\n"
      "vpopcntq %%zmm8, %%zmm8\n"
      "vpopcntq %%zmm9, %%zmm9\n"
      "vpopcntq %%zmm10, %%zmm10\n"
      "vpopcntq %%zmm11, %%zmm11\n"
      "vpaddq %%zmm6, %%zmm0, %%zmm0\n"
      "vpaddq %%zmm7, %%zmm1, %%zmm1\n"
      "vpaddq %%zmm8, %%zmm2, %%zmm2\n"
      "vpaddq %%zmm9, %%zmm3, %%zmm3\n"
      "vpaddq %%zmm10, %%zmm4, %%zmm4\n"
      "vpaddq %%zmm11, %%zmm5, %%zmm5\n"
      "dec %0\n"
      "jnz 1b\n"
      "vzeroupper\n"
      : "+r"(rounds)
      :
      : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
        "xmm14", "xmm15", "cc");
}
#endif

#ifdef BITPLANE_HAVE_AVX2
/// Nibbles counted by a table in a register (ymm11) and summed up in bytes, whose flushing is not counted.
/// Both operands come split into low and high nibbles, as the kernel's tiles have them: AND needs no other
/// mask, and splitting, which a tile shares out over its pairs, is not counted either.
void bits_avx2() {
  auto rounds = static_cast<std::uint64_t>(kPeakRounds);
  asm volatile(
      "1:\n"
      "vpand %%ymm12, %%ymm14, %%ymm4\n"
      "vpand %%ymm13, %%ymm15, %%ymm5\n"
      "vpand %%ymm12, %%ymm14, %%ymm6\n"
      "vpand %%ymm13, %%ymm15, %%ymm7\n"
      "vpand %%ymm12, %%ymm14, %%ymm8\n"
      "vpand %%ymm13, %%ymm15, %%ymm9\n"
      "vpshufb %%ymm4, %%ymm11, %%ymm4\n"
      "vpshufb %%ymm5, %%ymm11, %%ymm5\n"
      "vpshufb %%ymm6, %%ymm11, %%ymm6\n"
      "vpshufb %%ymm7, %%ymm11, %%ymm7\n"
      "vpshufb %%ymm8, %%ymm11, %%ymm8\n"
      "vpshufb %%ymm9, %%ymm11, %%ymm9\n"
      "vpaddb %%ymm4, %%ymm0, %%ymm0\n"
      "vpaddb %%ymm6, %%ymm1, %%ymm1\n"
      "vpaddb %%ymm8, %%ymm2, %%ymm2\n"
      "vpaddb %%ymm5, %%ymm0, %%ymm0\n"
      "vpaddb %%ymm7, %%ymm1, %%ymm1\n"
      "vpaddb %%ymm9, %%ymm2, %%ymm2\n"
      "dec %0\n"
      "jnz 1b\n"
      "vzeroupper\n"
      : "+r"(rounds)
      :
      : "xmm0", "xmm1", "xmm2", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm11", "xmm12", "xmm13",
        "xmm14", "xmm15", "cc");
}
#endif

/// The first entry is no loop: a list may not be empty where no vector instruction set was built.
constexpr PeakLoop kLoops[] = {
    {},
#ifdef BITPLANE_HAVE_AVX2
    {kBitPeak, kernels::Isa::Avx2, "2 x (vpand, vpshufb, vpaddb) ymm", "Gbit-MAC/s", 3 * 256 * kPeakRounds,
     bits_avx2},
#endif
#ifdef BITPLANE_HAVE_AVX512
    {kBitPeak, kernels::Isa::Avx512, "vpandq, vpopcntq, vpaddq zmm", "Gbit-MAC/s", 6 * 512 * kPeakRounds,
     bits_avx512},
#endif
};

}  // namespace

std::span<const PeakLoop> bit_loops() {
  return std::span(kLoops).subspan(1);
}

}  // namespace bitplane::peaks
