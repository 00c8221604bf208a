// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/shared/exit_code.h"

namespace bitplane::cli {

ExitCode exit_code_of(engine::StatusCode code) noexcept {
  switch (code) {
    case engine::StatusCode::Ok:
      return ExitCode::Ok;
    case engine::StatusCode::NotFound:
    case engine::StatusCode::InvalidFile:
      return ExitCode::BadInput;
    case engine::StatusCode::InvalidArgument:
      return ExitCode::BadUsage;
    case engine::StatusCode::Unsupported:
      return ExitCode::Unsupported;
    case engine::StatusCode::OutOfMemory:
    case engine::StatusCode::IoError:
      return ExitCode::SystemRefused;
  }
  return ExitCode::Unexpected;
}

}  // namespace bitplane::cli
