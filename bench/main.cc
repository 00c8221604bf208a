// SPDX-License-Identifier: Apache-2.0
//
// Micro-benchmarks of the registered kernels. Google Benchmark's flags apply, for example
// --benchmark_filter='avx512/gemm/S[1-5]' or --benchmark_format=json.
// Rows report useful GMAC/s and their share of the peak (of_peak; the "/s" behind it is Google Benchmark's).
#include <benchmark/benchmark.h>

#include <cstdio>
#include <string>

#include "bitplane/kernels/isa.h"
#include "peaks.h"

namespace {

/// Says what one core can do at most, measured now; rows report their share of it.
void add_peaks_to_context() {
  using namespace bitplane;
  for (const kernels::IsaInfo& isa : kernels::kIsas) {
    if (!kernels::detect_cpu().has(isa.isa)) continue;
    const bench::Peaks& peaks = bench::peaks(isa.isa);
    if (peaks.fma <= 0) continue;
    char text[96];
    std::snprintf(text, sizeof text, "%.1f G fma/s, %.0f G bit-MAC/s", peaks.fma * 1e-9,
                  peaks.bit_macs * 1e-9);
    benchmark::AddCustomContext("peak of one core, " + std::string(isa.name), text);
  }
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  add_peaks_to_context();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
