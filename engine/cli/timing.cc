// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/timing.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "engine/cli/shared/errors.h"

namespace bitplane::cli {

double quantile(std::vector<double> values, double part) {
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<std::size_t>(std::lround(part * static_cast<double>(values.size() - 1)));
  return values[rank];
}

std::vector<std::uint8_t> make_pictures(const engine::InputShape& shape, std::size_t batch) {
  std::vector<std::uint8_t> pixels(batch * shape.height * shape.width * shape.channels);
  std::uint32_t state = 1;
  for (std::uint8_t& pixel : pixels) {
    state = state * 1664525U + 1013904223U;
    pixel = static_cast<std::uint8_t>(state >> 24);
  }
  return pixels;
}

Timings measure_latency(engine::Session& session, const std::vector<std::uint8_t>& pictures,
                        const TimingOptions& options) {
  using Clock = std::chrono::steady_clock;
  Timings timings;
  timings.step_ns.resize(session.steps().size());
  for (std::size_t i = 0; i < options.warm_up; ++i) check(session.run(pictures));
  for (std::size_t i = 0; i < options.repetitions; ++i) {
    const auto begin = Clock::now();
    check(session.run(pictures));
    timings.run_ns.push_back(std::chrono::duration<double, std::nano>(Clock::now() - begin).count());
    for (std::size_t s = 0; s < timings.step_ns.size(); ++s) {
      timings.step_ns[s].push_back(static_cast<double>(session.step_nanoseconds()[s]));
    }
  }
  return timings;
}

}  // namespace bitplane::cli
