// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace bitplane::train {

/// While it lives, the first SIGINT or SIGTERM only sets a flag that the training loop looks at after each
/// step; a second one ends the process as usual. One at a time.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  [[nodiscard]] static bool requested() noexcept;
};

}  // namespace bitplane::train
