// SPDX-License-Identifier: Apache-2.0
#include "trainer/optim/schedule.h"

#include <algorithm>
#include <array>

#include "trainer/math/transcendental.h"

namespace bitplane::train {
namespace {

/// From `start` to `end` along half a cosine, t in [0, 1].
double cosine_between(double start, double end, double t) {
  return end + (start - end) * 0.5 * (1.0 + math::cos_turns(0.5 * t));
}

/// A linear rise, then a curve.
class WarmedUp : public Schedule {
 public:
  explicit WarmedUp(const ScheduleOptions& options)
      : options_(options),
        warmup_steps_(static_cast<std::size_t>(options.warmup * static_cast<double>(options.total_steps))) {}
  double rate(std::size_t step) const final {
    const double risen =
        step < warmup_steps_ ? static_cast<double>(step + 1) / static_cast<double>(warmup_steps_) : 1.0;
    return risen * curve(step);
  }

 protected:
  [[nodiscard]] virtual double curve(std::size_t step) const = 0;
  [[nodiscard]] const ScheduleOptions& options() const noexcept { return options_; }
  /// 0 until the warm-up ends, 1 at the end of the run.
  [[nodiscard]] double progress(std::size_t step) const {
    if (options_.total_steps <= warmup_steps_) return options_.total_steps == 0 ? 1.0 : 0.0;
    const auto steps = static_cast<double>(options_.total_steps - warmup_steps_);
    return step <= warmup_steps_ ? 0.0 : std::min(1.0, static_cast<double>(step - warmup_steps_) / steps);
  }

 private:
  ScheduleOptions options_;
  std::size_t warmup_steps_;
};

class Constant final : public WarmedUp {
 public:
  using WarmedUp::WarmedUp;

 private:
  double curve(std::size_t) const override { return options().rate; }
};

class Step final : public WarmedUp {
 public:
  using WarmedUp::WarmedUp;

 private:
  double curve(std::size_t step) const override {
    double rate = options().rate;
    for (const std::size_t drop : options().drops) {
      if (step >= drop) rate *= options().drop_factor;
    }
    return rate;
  }
};

class Polynomial final : public WarmedUp {
 public:
  using WarmedUp::WarmedUp;

 private:
  double curve(std::size_t step) const override {
    const double left = 1.0 - progress(step);
    if (left <= 0.0) return 0.0;
    return options().rate * math::exp(options().power * math::log(left));
  }
};

class Cosine final : public WarmedUp {
 public:
  using WarmedUp::WarmedUp;

 private:
  double curve(std::size_t step) const override {
    return cosine_between(options().rate, 0.0, progress(step));
  }
};

/// Smith & Topin, "Super-convergence" (2018), with cosine slopes: up to the peak, then far down.
class OneCycle final : public Schedule {
 public:
  explicit OneCycle(const ScheduleOptions& options) : options_(options) {}
  double rate(std::size_t step) const override {
    const double start = options_.rate / options_.start_divisor;
    const auto last = static_cast<double>(std::max<std::size_t>(options_.total_steps, 2) - 1);
    const double peak = options_.warmup * static_cast<double>(options_.total_steps) - 1.0;
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
    ScheduleInfo{"constant", "the same rate throughout", 0.0, &make<Constant>},
    ScheduleInfo{"step", "multiplied by drop_factor at the epochs of drops", 0.0, &make<Step>},
    ScheduleInfo{"polynomial", "rate * (1 - share of the run)^power", 0.0, &make<Polynomial>},
    ScheduleInfo{"cosine", "half a cosine from the rate to zero", 0.0, &make<Cosine>},
    ScheduleInfo{"one-cycle", "up to the peak rate, then down to almost nothing, along cosines", 0.3,
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
