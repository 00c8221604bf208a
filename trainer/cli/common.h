// SPDX-License-Identifier: Apache-2.0
//
// What several subcommands of `trainer` share.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>

#include "engine/cli/shared/json_output.h"
#include "engine/cli/shared/program.h"
#include "trainer/run/loaded_run.h"
#include "trainer/run/run_folder.h"
#include "trainer/run/training.h"

namespace bitplane::train {

/// Gives the trainer's exceptions their exit codes: std::invalid_argument is bad usage, Diverged a failed
/// check.
[[nodiscard]] cli::ExitCode guarded(const std::function<cli::ExitCode()>& action);

/// "last", "best"
[[nodiscard]] Which parse_which(const std::string& name);

struct Finished {
  RunResult result;
  std::optional<std::size_t> model_bytes = {};  ///< nothing: model files cannot hold this net
};
/// Trains to the end, evaluates, exports into the run folder. Nothing: Ctrl-C stopped it.
[[nodiscard]] std::optional<Finished> train_to_the_end(Training& training, const TrainingData& data);
[[nodiscard]] cli::Json finished_json(const Training& training, const Finished& finished);
void print_finished(const Training& training, const Finished& finished);

/// Trains to the end (or to Ctrl-C), evaluates, exports into the run folder, prints the result.
[[nodiscard]] cli::ExitCode run_to_the_end(Training& training, const TrainingData& data, cli::Format format);

}  // namespace bitplane::train
