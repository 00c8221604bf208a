// SPDX-License-Identifier: Apache-2.0
//
// A run as evaluation and export need it: the net of one checkpoint, and what was measured of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "trainer/checkpoint/checkpoint.h"
#include "trainer/nn/module.h"
#include "trainer/run/run_folder.h"

namespace bitplane::train {

struct LoadedRun {
  RunFolder folder;
  std::unique_ptr<Module> net;
  Task task;
  Progress progress;
  std::string weights;  ///< those that the net holds: kTrainedWeights or kAveragedWeights
};
/// Throws cli::CommandError naming the folder or the file.
/// Holds the weights that the config says (`weights`), or those of `weights`: kTrainedWeights or
/// kAveragedWeights.
[[nodiscard]] LoadedRun load_run(const std::string& path, Which which, std::string_view weights = {});
/// The last checkpoint of a run that another one needs; messages begin with what for: "teacher", "--from".
[[nodiscard]] LoadedRun load_run_for(std::string_view purpose, const std::string& path);

/// Throws cli::CommandError naming the file, and what can be done.
[[nodiscard]] CheckpointReader open_checkpoint(const RunFolder& folder, Which which);
/// "; ...": what to do about a checkpoint that cannot be used.
[[nodiscard]] std::string instead_of_checkpoint(const RunFolder& folder, Which which);

/// Throws std::invalid_argument, with what to do, for a run whose epochs are not done. Imported weights that
/// no step has moved are what they are.
void require_finished(const LoadedRun& run);

/// result.json: what the normative evaluation said at the end of training.
struct RunResult {
  std::uint64_t step = 0;  ///< of the checkpoint that was evaluated
  std::string weights;     ///< of it: kTrainedWeights or kAveragedWeights
  std::string data;
  std::size_t count = 0, correct = 0;
  [[nodiscard]] double accuracy() const noexcept {
    return count == 0 ? 0.0 : static_cast<double>(correct) / static_cast<double>(count);
  }
};
[[nodiscard]] nlohmann::ordered_json result_to_json(const RunResult& result);
/// `config`: of the run. Throws nlohmann::json::exception where something is missing.
[[nodiscard]] RunResult result_from_json(const nlohmann::json& json, const Config& config);
void write_result(const RunFolder& folder, const RunResult& result);
/// Nothing when there is none yet, or when it is not readable.
[[nodiscard]] std::optional<RunResult> read_result(const RunFolder& folder);

}  // namespace bitplane::train
