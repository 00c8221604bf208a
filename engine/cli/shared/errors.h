// SPDX-License-Identifier: Apache-2.0
//
// How a command fails: by throwing a CommandError, which run_program turns into one line and an exit code.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include "bitplane/status.h"
#include "engine/cli/shared/exit_code.h"

namespace bitplane::cli {

class CommandError : public std::runtime_error {
 public:
  CommandError(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  explicit CommandError(const engine::Status& status)
      : CommandError(exit_code_of(status.code()), status.message()) {}

  [[nodiscard]] ExitCode code() const noexcept { return code_; }

 private:
  ExitCode code_;
};

/// Throws when the status is an error.
inline void check(const engine::Status& status) {
  if (!status.ok()) throw CommandError(status);
}

/// The value, or throws.
template <class T>
[[nodiscard]] T take(engine::Result<T> result) {
  check(result.status());
  return std::move(result).value();
}

}  // namespace bitplane::cli
