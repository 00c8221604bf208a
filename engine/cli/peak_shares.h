// SPDX-License-Identifier: Apache-2.0
//
// How near a step comes to what one core of this machine can do, measured in the same run.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bitplane/engine.h"
#include "peaks/loops.h"

namespace bitplane::cli {

struct Peak {
  const peaks::PeakLoop* loop = nullptr;
  double per_ns = 0.0;  ///< work, the best of all calls
};

class PeakShares {
 public:
  /// The limits of those steps' kernels.
  explicit PeakShares(std::span<const engine::StepInfo> steps);

  /// Runs each loop for some milliseconds; the best counts. Call it before and after what is timed, so that a
  /// clock that changes meanwhile is seen.
  void measure();

  [[nodiscard]] std::span<const Peak> peaks() const noexcept { return peaks_; }
  /// Of one thread's peak; nothing for a step whose kernel has none (plain C++, pooling, element-wise steps).
  [[nodiscard]] std::optional<double> share(const engine::StepInfo& step, std::size_t pictures,
                                            double nanoseconds) const;

 private:
  std::vector<Peak> peaks_;
};

}  // namespace bitplane::cli
