// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace bitplane::train {

/// One process trains in a run folder at a time: an advisory lock of the folder itself, which the system
/// releases however the process ends.
class RunLock {
 public:
  /// Throws cli::CommandError (BadUsage) when another process has it. A file system without locks gives none,
  /// silently.
  explicit RunLock(const std::string& folder);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  int descriptor_;
};

}  // namespace bitplane::train
