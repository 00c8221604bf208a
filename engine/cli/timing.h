// SPDX-License-Identifier: Apache-2.0
//
// How long a session takes, for `bench` and `compare`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bitplane/engine.h"

namespace bitplane::cli {

struct Timings {
  std::vector<double> run_ns;                ///< [repetitions]
  std::vector<std::vector<double>> step_ns;  ///< [steps][repetitions]
};

struct TimingOptions {
  std::size_t repetitions = 200, warm_up = 20;
};

/// `part` 0.5 is the median, 0.95 the time that 95 % of the runs stay within (nearest rank).
[[nodiscard]] double quantile(std::vector<double> values, double part);

/// Pictures whose every byte differs from its neighbours, so that no code is constant.
[[nodiscard]] std::vector<std::uint8_t> make_pictures(const engine::InputShape& shape, std::size_t batch);

/// Throws CommandError when a run fails.
[[nodiscard]] Timings measure_latency(engine::Session& session, const std::vector<std::uint8_t>& pictures,
                                      const TimingOptions& options);

}  // namespace bitplane::cli
