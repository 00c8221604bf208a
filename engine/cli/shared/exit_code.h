// SPDX-License-Identifier: Apache-2.0
//
// What the commands return. kExitCodes is the one list: --help and the docs come from it.
#pragma once

#include <array>
#include <string_view>

#include "bitplane/status.h"

namespace bitplane::cli {

enum class ExitCode : int {
  Ok = 0,
  CheckFailed = 1,
  BadUsage = 2,
  BadInput = 3,
  Unsupported = 4,
  SystemRefused = 5,
  Unexpected = 70,
  Interrupted = 130,
};

struct ExitCodeInfo {
  ExitCode code;
  std::string_view meaning;
};

inline constexpr std::array<ExitCodeInfo, 8> kExitCodes{{
    {ExitCode::Ok, "done"},
    {ExitCode::CheckFailed, "a check failed: outputs differ, or training diverged"},
    {ExitCode::BadUsage, "wrong flag, name or value"},
    {ExitCode::BadInput, "an input file is missing, damaged or of another kind"},
    {ExitCode::Unsupported, "this version or this CPU cannot do it"},
    {ExitCode::SystemRefused, "the system refused: disk full, no permission, out of memory"},
    {ExitCode::Unexpected, "a bug of the program; please report it"},
    {ExitCode::Interrupted, "stopped by Ctrl-C"},
}};

[[nodiscard]] ExitCode exit_code_of(engine::StatusCode code) noexcept;

}  // namespace bitplane::cli
