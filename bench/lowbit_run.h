// SPDX-License-Identifier: Apache-2.0
//
// A low-bit problem packed for one kernel, ready to be timed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "case.h"
#include "lowbit_problem.h"

namespace bitplane::bench {

struct LowBitRun {
  std::shared_ptr<LowBitProblem> problem;
  std::unique_ptr<const kernels::LowBitConv> conv;
};

/// Both run once and check the answer.
[[nodiscard]] RunHere run_to_planes(const std::shared_ptr<LowBitRun>& run,
                                    const kernels::EpilogueKernels& epilogues);
/// The bare int32 (uniform) or z as floats (learned).
[[nodiscard]] RunHere run_to_sums(const std::shared_ptr<LowBitRun>& run,
                                  const kernels::EpilogueKernels& epilogues);

enum class Output { Sums, Planes };
struct LowBitPlace {
  std::string group, name;
  kernels::ConvShape shape;
  Output output;
};
/// Products, then layers.
[[nodiscard]] std::vector<LowBitPlace> lowbit_places(const Selection& selection);

}  // namespace bitplane::bench
