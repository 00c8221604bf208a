// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "case.h"

namespace bitplane::bench {

struct RunOptions {
  int repetitions = 5;
  double seconds_per_repetition = 0.02;
  std::vector<std::string> benchmark_flags;  ///< passed on to Google Benchmark
};

/// Times the cases with Google Benchmark, repetitions of different cases interleaved at random, so that what
/// disturbs the machine for a while hits all of them alike. The rows of the cases that ran, in their order;
/// times are of the CPU, not of the wall. `errors` gets one line for each case that failed.
[[nodiscard]] std::vector<Row> run_cases(const std::vector<Case>& cases, const RunOptions& options,
                                         std::vector<std::string>& errors);

}  // namespace bitplane::bench
