// SPDX-License-Identifier: Apache-2.0
//
// Learning-rate schedules: a pure function of the step, so that a resumed run goes on as if never stopped.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace bitplane::train {

class Schedule {
 public:
  virtual ~Schedule() = default;
  /// Learning rate of step `step` (counted from 0) of the run.
  [[nodiscard]] virtual double rate(std::size_t step) const = 0;
};

struct ScheduleOptions {
  double rate = 0.1;  ///< the base rate; one-cycle's peak
  std::size_t total_steps = 1;
  /// Share of the steps that rise. one-cycle: to the peak. The others: linearly, step s of w with (s + 1) / w
  /// of the rate; what falls afterwards falls over the steps that are left.
  double warmup = 0.0;
  std::vector<std::size_t> drops = {};  ///< step: multiplied by drop_factor at each of these steps
  double drop_factor = 0.1;
  double power = 1.0;           ///< polynomial: rate * (1 - share of the steps)^power
  double start_divisor = 25.0;  ///< one-cycle: starts at rate / this
  double end_divisor = 1e4;     ///< one-cycle: ends at the start / this
};

struct ScheduleInfo {
  std::string_view name;
  std::string_view description;
  double default_warmup;
  std::unique_ptr<Schedule> (*make)(const ScheduleOptions&);
};

/// The one list of schedules: constant, step, polynomial, cosine, one-cycle.
[[nodiscard]] std::span<const ScheduleInfo> schedules() noexcept;
[[nodiscard]] const ScheduleInfo* find_schedule(std::string_view name) noexcept;

}  // namespace bitplane::train
