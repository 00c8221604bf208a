// SPDX-License-Identifier: Apache-2.0
//
// What several subcommands of `trainer` share.
#pragma once

#include <functional>
#include <string>

#include "engine/cli/shared/json_output.h"
#include "engine/cli/shared/program.h"
#include "trainer/run/run_folder.h"
#include "trainer/run/training.h"

namespace bitplane::train {

/// Gives the trainer's exceptions their exit codes: std::invalid_argument is bad usage, Diverged a failed
/// check.
[[nodiscard]] cli::ExitCode guarded(const std::function<cli::ExitCode()>& action);

/// "last", "best"
[[nodiscard]] Which parse_which(const std::string& name);

/// Trains to the end (or to Ctrl-C), evaluates, exports into the run folder, prints the result.
[[nodiscard]] cli::ExitCode run_to_the_end(Training& training, const TrainingData& data, cli::Format format);

}  // namespace bitplane::train
