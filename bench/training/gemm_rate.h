// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "bitplane/kernels/isa.h"
#include "peer/process.h"

namespace bitplane::bench {

/// A float32 product of somebody else, to judge a step's rate by: oneDNN's of S2 (layers.h), or Eigen's where
/// the benchmark was built without oneDNN.
class PeerGemm {
 public:
  explicit PeerGemm(kernels::Isa isa);
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  /// Multiply-accumulates per second of CPU time, measured now.
  [[nodiscard]] double measure();

 private:
  std::string name_;
  std::unique_ptr<PeerProcess> process_;
  std::size_t index_ = 0;
  double macs_ = 0;
};

/// The best of the levels whose limit can be measured; none: there is no loop for any of them.
[[nodiscard]] std::optional<kernels::Isa> fma_level(kernels::CpuFeatures features);
/// The limit of that level, one thread: multiply-accumulates per second of CPU time.
[[nodiscard]] double measure_fma_peak(kernels::Isa isa);

/// CPU time of the whole process.
[[nodiscard]] double cpu_seconds();

}  // namespace bitplane::bench
