// SPDX-License-Identifier: Apache-2.0
//
// The loops are assembly: a compiler must not hoist, reorder or spill them (an array of accumulators cost GCC
// 12 more than half of the rate), and this file has no -m flags. Each keeps enough independent chains to hide
// the latency.
#include "peaks.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <ctime>

namespace bitplane::bench {
namespace {

/// Seconds of CPU time of this thread: on a shared machine the wall clock counts others' work.
double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// Operations per second of the fastest of several calls of `loop`, which returns how many it did.
template <class Loop>
double rate(Loop loop) {
  double best = 0;
  for (int repetition = 0; repetition < 30; ++repetition) {
    const double start = cpu_seconds();
    const double operations = loop();
    best = std::max(best, operations / (cpu_seconds() - start));
  }
  return best;
}

constexpr double kRounds = 20000;

#ifdef BITPLANE_HAVE_AVX512
double fma_avx512() {
  std::uint64_t rounds = static_cast<std::uint64_t>(kRounds);
  asm volatile(
      "vpxorq %%zmm12, %%zmm12, %%zmm12\n"
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
      : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm12", "cc");
  return 10 * 16 * kRounds;
}

double bits_avx512() {
  std::uint64_t rounds = static_cast<std::uint64_t>(kRounds);
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
  return 6 * 512 * kRounds;
}
#endif

#ifdef BITPLANE_HAVE_AVX2
double fma_avx2() {
  std::uint64_t rounds = static_cast<std::uint64_t>(kRounds);
  asm volatile(
      "vpxor %%ymm12, %%ymm12, %%ymm12\n"
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
      : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm12", "cc");
  return 10 * 8 * kRounds;
}

/// Nibbles counted by a table in a register (ymm13) and summed up in bytes, whose flushing is not counted.
double bits_avx2() {
  std::uint64_t rounds = static_cast<std::uint64_t>(kRounds);
  asm volatile(
      "1:\n"
      "vpand %%ymm12, %%ymm15, %%ymm4\n"
      "vpand %%ymm12, %%ymm15, %%ymm6\n"
      "vpand %%ymm12, %%ymm15, %%ymm8\n"
      "vpsrlw $4, %%ymm4, %%ymm5\n"
      "vpsrlw $4, %%ymm6, %%ymm7\n"
      "vpsrlw $4, %%ymm8, %%ymm9\n"
      "vpand %%ymm14, %%ymm4, %%ymm4\n"
      "vpand %%ymm14, %%ymm6, %%ymm6\n"
      "vpand %%ymm14, %%ymm8, %%ymm8\n"
      "vpand %%ymm14, %%ymm5, %%ymm5\n"
      "vpand %%ymm14, %%ymm7, %%ymm7\n"
      "vpand %%ymm14, %%ymm9, %%ymm9\n"
      "vpshufb %%ymm4, %%ymm13, %%ymm4\n"
      "vpshufb %%ymm6, %%ymm13, %%ymm6\n"
      "vpshufb %%ymm8, %%ymm13, %%ymm8\n"
      "vpshufb %%ymm5, %%ymm13, %%ymm5\n"
      "vpshufb %%ymm7, %%ymm13, %%ymm7\n"
      "vpshufb %%ymm9, %%ymm13, %%ymm9\n"
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
      : "xmm0", "xmm1", "xmm2", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm12", "xmm13", "xmm14",
        "xmm15", "cc");
  return 3 * 256 * kRounds;
}
#endif

Peaks measure(kernels::Isa isa) {
  switch (isa) {
    case kernels::Isa::Scalar:
    case kernels::Isa::Neon:
    case kernels::Isa::NeonDot:
    case kernels::Isa::AvxVnni:
    case kernels::Isa::Amx:
      break;
    case kernels::Isa::Avx2:
#ifdef BITPLANE_HAVE_AVX2
      return {.fma = rate(fma_avx2), .bit_macs = rate(bits_avx2)};
#else
      break;
#endif
    case kernels::Isa::Avx512:
#ifdef BITPLANE_HAVE_AVX512
      return {.fma = rate(fma_avx512), .bit_macs = rate(bits_avx512)};
#else
      break;
#endif
  }
  return {};
}

}  // namespace

const Peaks& peaks(kernels::Isa isa) {
  static const auto all = [] {
    std::array<Peaks, kernels::kIsas.size()> measured{};
    for (const kernels::IsaInfo& info : kernels::kIsas) {
      if (kernels::detect_cpu().has(info.isa))
        measured[static_cast<std::size_t>(info.isa)] = measure(info.isa);
    }
    return measured;
  }();
  return all[static_cast<std::size_t>(isa)];
}

}  // namespace bitplane::bench
