// SPDX-License-Identifier: Apache-2.0
#include "trainer/optim/schedule.h"

#include <algorithm>
#include <array>

#include "trainer/math/transcendental.h"

namespace bitplane::train {
namespace {

/// 0 at the first step, 1 at the end of the run.
double progress(std::size_t step, std::size_t total) {
  return total == 0 ? 1.0 : std::min(1.0, static_cast<double>(step) / static_cast<double>(total));
}

/// From `start` to `end` along half a cosine, t in [0, 1].
double cosine_between(double start, double end, double t) {
  return end + (start - end) * 0.5 * (1.0 + math::cos_turns(0.5 * t));
}

class Constant final : public Schedule {
 public:
  explicit Constant(const ScheduleOptions& options) : rate_(options.rate) {}
  double rate(std::size_t) const override { return rate_; }

 private:
  double rate_;
};

class Step final : public Schedule {
 public:
  explicit Step(const ScheduleOptions& options) : options_(options) {}
  double rate(std::size_t step) const override {
    double rate = options_.rate;
    for (const std::size_t drop : options_.drops) {
      if (step >= drop) rate *= options_.drop_factor;
    }
    return rate;
  }

 private:
  ScheduleOptions options_;
};

class Polynomial final : public Schedule {
 public:
  explicit Polynomial(const ScheduleOptions& options) : options_(options) {}
  double rate(std::size_t step) const override {
    const double left = 1.0 - progress(step, options_.total_steps);
    if (left <= 0.0) return 0.0;
    return options_.rate * math::exp(options_.power * math::log(left));
  }

 private:
  ScheduleOptions options_;
};

class Cosine final : public Schedule {
 public:
  explicit Cosine(const ScheduleOptions& options) : options_(options) {}
  double rate(std::size_t step) const override {
    return cosine_between(options_.rate, 0.0, progress(step, options_.total_steps));
  }

 private:
  ScheduleOptions options_;
};

/// Smith & Topin, "Super-convergence" (2018), with cosine slopes: up to the peak, then far down.
class OneCycle final : public Schedule {
 public:
  explicit OneCycle(const ScheduleOptions& options) : options_(options) {}
  double rate(std::size_t step) const override {
    const double start = options_.rate / options_.start_divisor;
    const auto last = static_cast<double>(std::max<std::size_t>(options_.total_steps, 2) - 1);
    const double peak = options_.warmup_fraction * static_cast<double>(options_.total_steps) - 1.0;
    const double at = std::min(static_cast<double>(step), last);
    if (at <= peak) return cosine_between(start, options_.rate, peak > 0.0 ? at / peak : 1.0);
    return cosine_between(options_.rate, start / options_.end_divisor, (at - peak) / (last - peak));
  }

 private:
  ScheduleOptions options_;
};

template <class S>
std::unique_ptr<Schedule> make(const ScheduleOptions& options) {
  return std::make_unique<S>(options);
}

constexpr std::array kSchedules{
    ScheduleInfo{"constant", "the same rate throughout", &make<Constant>},
    ScheduleInfo{"step", "multiplied by a factor at given steps", &make<Step>},
    ScheduleInfo{"polynomial", "rate * (1 - step / total)^power", &make<Polynomial>},
    ScheduleInfo{"cosine", "half a cosine from the rate to zero", &make<Cosine>},
    ScheduleInfo{"one-cycle", "up to the peak rate, then down to almost nothing, along cosines",
                 &make<OneCycle>},
};

}  // namespace

std::span<const ScheduleInfo> schedules() noexcept {
  return kSchedules;
}

const ScheduleInfo* find_schedule(std::string_view name) noexcept {
  const auto it =
      std::find_if(kSchedules.begin(), kSchedules.end(), [&](const auto& s) { return s.name == name; });
  return it != kSchedules.end() ? &*it : nullptr;
}

}  // namespace bitplane::train
