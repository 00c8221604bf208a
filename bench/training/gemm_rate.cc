// SPDX-License-Identifier: Apache-2.0
#include "training/gemm_rate.h"

#include <algorithm>
#include <ctime>

#include "case.h"
#include "eigen_gemm.h"
#include "layers.h"
#include "peaks.h"
#include "peer/peer_list.h"

namespace bitplane::bench {
namespace {

constexpr const GemmShape& kShape = kGemmShapes[1];
constexpr int kRuns = 10;

double eigen_seconds() {
  static const std::vector<float> x = random_floats(kShape.n() * kShape.k, 1),
                                  w = random_floats(kShape.m * kShape.k, 2);
  static std::vector<float> y(kShape.n() * kShape.m);
  const double start = cpu_seconds();
  for (int i = 0; i < kRuns; ++i) eigen_gemm(kShape.n(), kShape.m, kShape.k, x.data(), w.data(), y.data());
  return cpu_seconds() - start;
}

}  // namespace

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

PeerGemm::PeerGemm(kernels::Isa isa)
    : name_(peers_are_built() ? "oneDNN's f32 GEMM" : "Eigen's f32 GEMM"),
      macs_(static_cast<double>(kShape.shape().macs()) * kRuns) {
  if (!peers_are_built()) return;
  const auto& cases = peer_cases();
  const auto it = std::find_if(cases.begin(), cases.end(), [](const PeerCase& c) {
    return c.kind == PeerKind::F32Matmul && c.shape_name == kShape.name;
  });
  index_ = static_cast<std::size_t>(it - cases.begin());
  process_ = std::make_unique<PeerProcess>(isa);
  process_->prepare(index_);
}

double PeerGemm::measure() {
  return macs_ / (process_ != nullptr ? process_->run(index_, kRuns) : eigen_seconds());
}

std::optional<kernels::Isa> fma_level(kernels::CpuFeatures features) {
  std::optional<kernels::Isa> best;
  for (const PeakLoop& loop : float_loops()) {
    if (loop.name == kFmaPeak && features.has(loop.isa) && (!best || *best < loop.isa)) best = loop.isa;
  }
  return best;
}

double measure_fma_peak(kernels::Isa isa) {
  constexpr int kCalls = 300;
  for (const PeakLoop& loop : float_loops()) {
    if (loop.name != kFmaPeak || loop.isa != isa) continue;
    const double start = cpu_seconds();
    for (int i = 0; i < kCalls; ++i) loop.run();
    return kCalls * loop.work / (cpu_seconds() - start);
  }
  return 0;
}

}  // namespace bitplane::bench
