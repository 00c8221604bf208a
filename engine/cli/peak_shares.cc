// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/peak_shares.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "bitplane/kernels/registry.h"

namespace bitplane::cli {
namespace {

using engine::StepInfo;

/// What bounds a family on registers, and how much of it a step takes per picture.
struct FamilyLimit {
  kernels::Family family;
  std::string_view peak;
  double (*work)(const StepInfo& step);
};

double macs(const StepInfo& step) {
  return static_cast<double>(step.macs);
}

constexpr std::array<FamilyLimit, 5> kLimits{{
    {kernels::Family::BitSerial, peaks::kBitPeak,
     [](const StepInfo& step) { return static_cast<double>(step.bit_operations); }},
    {kernels::Family::Lut, peaks::kLookupPeak,
     [](const StepInfo& step) { return static_cast<double>(step.macs * step.weight_bits); }},
    {kernels::Family::Dot, peaks::kInt8Peak, macs},
    {kernels::Family::F32, peaks::kFmaPeak, macs},
    {kernels::Family::Codebook, peaks::kFmaPeak, macs},
}};

const FamilyLimit* limit_of(const StepInfo& step) {
  if (step.macs == 0) return nullptr;
  const auto kernels = kernels::registry();
  const auto kernel = std::find_if(kernels.begin(), kernels.end(),
                                   [&](const kernels::KernelInfo& info) { return info.name == step.kernel; });
  if (kernel == kernels.end()) return nullptr;
  const auto* limit = std::find_if(kLimits.begin(), kLimits.end(),
                                   [&](const FamilyLimit& l) { return l.family == kernel->family; });
  return limit == kLimits.end() ? nullptr : limit;
}

const peaks::PeakLoop* loop_of(std::string_view name, std::string_view isa) {
  for (const auto loops :
       {peaks::float_loops(), peaks::bit_loops(), peaks::lookup_loops(), peaks::int8_loops()}) {
    for (const peaks::PeakLoop& loop : loops) {
      if (loop.name == name && kernels::isa_name(loop.isa) == isa) return &loop;
    }
  }
  return nullptr;
}

}  // namespace

PeakShares::PeakShares(std::span<const StepInfo> steps) {
  for (const StepInfo& step : steps) {
    const FamilyLimit* limit = limit_of(step);
    const peaks::PeakLoop* loop = limit == nullptr ? nullptr : loop_of(limit->peak, step.isa);
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
  const FamilyLimit* limit = limit_of(step);
  if (limit == nullptr || nanoseconds <= 0.0) return std::nullopt;
  const peaks::PeakLoop* loop = loop_of(limit->peak, step.isa);
  const auto peak = std::find_if(peaks_.begin(), peaks_.end(), [&](const Peak& p) { return p.loop == loop; });
  if (loop == nullptr || peak == peaks_.end() || peak->per_ns <= 0.0) return std::nullopt;
  return limit->work(step) * static_cast<double>(pictures) / nanoseconds / peak->per_ns;
}

}  // namespace bitplane::cli
