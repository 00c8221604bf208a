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
  std::vector<std::size_t> drops =
      {};  ///< step: the rate is multiplied by drop_factor at each of these steps
  double drop_factor = 0.1;
  double power = 1.0;            ///< polynomial: rate * (1 - step / total)^power;
  double warmup_fraction = 0.3;  ///< one-cycle: share of the steps that rise
  double start_divisor = 25.0;   ///< one-cycle: starts at rate / this
  double end_divisor = 1e4;      ///< one-cycle: ends at the start / this
};

struct ScheduleInfo {
  std::string_view name;
  std::string_view description;
  std::unique_ptr<Schedule> (*make)(const ScheduleOptions&);
};

/// The one list of schedules: constant, step, polynomial, cosine, one-cycle.
[[nodiscard]] std::span<const ScheduleInfo> schedules() noexcept;
[[nodiscard]] const ScheduleInfo* find_schedule(std::string_view name) noexcept;

}  // namespace bitplane::train
