// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/peak_shares.h"

#include <algorithm>
#include <chrono>

#include "bitplane/kernels/registry.h"
#include "peaks/family_peaks.h"

namespace bitplane::cli {
namespace {

using engine::StepInfo;

peaks::OperandBits bits_of(const StepInfo& step) {
  return {step.weight_bits, step.activation_bits};
}

const peaks::FamilyPeak* limit_of(const StepInfo& step) {
  if (step.macs == 0) return nullptr;
  const auto kernels = kernels::registry();
  const auto kernel = std::find_if(kernels.begin(), kernels.end(),
                                   [&](const kernels::KernelInfo& info) { return info.name == step.kernel; });
  return kernel == kernels.end() ? nullptr : peaks::peak_of(kernel->family);
}

/// nullptr: the limit has no loop on the step's instruction set.
const peaks::PeakLoop* loop_of(const peaks::FamilyPeak& limit, const StepInfo& step) {
  for (const auto loops :
       {peaks::float_loops(), peaks::bit_loops(), peaks::lookup_loops(), peaks::int8_loops()}) {
    for (const peaks::PeakLoop& loop : loops) {
      if (loop.name == limit.peak_on(loop.isa, bits_of(step)) && kernels::isa_name(loop.isa) == step.isa)
        return &loop;
    }
  }
  return nullptr;
}

}  // namespace

PeakShares::PeakShares(std::span<const StepInfo> steps) {
  for (const StepInfo& step : steps) {
    const peaks::FamilyPeak* limit = limit_of(step);
    const peaks::PeakLoop* loop = limit == nullptr ? nullptr : loop_of(*limit, step);
    const auto known = [&](const Peak& peak) { return peak.loop == loop; };
    if (loop != nullptr && std::none_of(peaks_.begin(), peaks_.end(), known)) peaks_.push_back({loop, 0.0});
  }
}

void PeakShares::measure() {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds kTime{10};
  for (Peak& peak : peaks_) {
    const Clock::time_point start = Clock::now();
    while (Clock::now() - start < kTime) {
      const Clock::time_point begin = Clock::now();
      peak.loop->run();
      const double ns = std::chrono::duration<double, std::nano>(Clock::now() - begin).count();
      peak.per_ns = std::max(peak.per_ns, peak.loop->work / ns);
    }
  }
}

std::optional<double> PeakShares::share(const StepInfo& step, std::size_t pictures,
                                        double nanoseconds) const {
  const peaks::FamilyPeak* limit = limit_of(step);
  if (limit == nullptr || nanoseconds <= 0.0) return std::nullopt;
  const peaks::PeakLoop* loop = loop_of(*limit, step);
  const auto peak = std::find_if(peaks_.begin(), peaks_.end(), [&](const Peak& p) { return p.loop == loop; });
  if (loop == nullptr || peak == peaks_.end() || peak->per_ns <= 0.0) return std::nullopt;
  const double work = static_cast<double>(step.macs) * limit->work_per_mac(bits_of(step));
  return work * static_cast<double>(pictures) / nanoseconds / peak->per_ns;
}

}  // namespace bitplane::cli
