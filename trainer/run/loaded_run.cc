// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/loaded_run.h"

#include <array>
#include <filesystem>
#include <stdexcept>
#include <system_error>

#include "engine/cli/shared/errors.h"
#include "engine/data/nearest_name.h"
#include "trainer/checkpoint/file.h"
#include "trainer/run/build.h"

namespace bitplane::train {

std::string instead_of_checkpoint(const RunFolder& folder, Which which) {
  constexpr const char* kNothing = "; bring the file back, or start a new run with another --out";
  if (which == Which::Best || !folder.has_checkpoint(Which::Best)) return kNothing;
  try {
    const CheckpointReader best(folder.checkpoint(Which::Best));
    return "; checkpoint-best.safetensors beside it is whole (epoch " +
           std::to_string(best.progress().epoch) + "): copy it over that file to go on from there";
  } catch (const cli::CommandError&) {
    return kNothing;
  }
}

CheckpointReader open_checkpoint(const RunFolder& folder, Which which) {
  try {
    return CheckpointReader(folder.checkpoint(which));
  } catch (const cli::CommandError& error) {
    throw cli::CommandError(error.code(), error.what() + instead_of_checkpoint(folder, which));
  }
}

LoadedRun load_run(const std::string& path, Which which, std::string_view weights) {
  RunFolder folder = RunFolder::open(path);
  const CheckpointReader checkpoint = open_checkpoint(folder, which);
  checkpoint.refuse_other_settings(folder.config());
  auto net = build_run_net(folder.config(), checkpoint.task().input, checkpoint.task().labels.size(),
                           checkpoint.task().preprocessing);
  const std::string_view wanted = weights.empty() ? std::string_view(folder.config().weights) : weights;
  if (wanted == kAveragedWeights && folder.config().ema == 0.0) {
    throw std::invalid_argument("'" + path + "' was trained without `ema`: it has no averaged weights");
  }
  if (wanted == kAveragedWeights) {
    checkpoint.restore_averaged(*net);
  } else if (wanted == kTrainedWeights) {
    checkpoint.restore(*net);
  } else {
    constexpr std::array kKnown{kTrainedWeights, kAveragedWeights};
    throw std::invalid_argument(engine::data::unknown_name_message("weights", std::string(wanted), kKnown));
  }
  const std::string held(wanted);  // it may view into the folder's config, which moves
  return {.folder = std::move(folder),
          .net = std::move(net),
          .task = checkpoint.task(),
          .progress = checkpoint.progress(),
          .weights = held};
}

LoadedRun load_run_for(std::string_view purpose, const std::string& path) {
  try {
    return load_run(path, Which::Last);
  } catch (const cli::CommandError& error) {
    throw cli::CommandError(error.code(), std::string(purpose) + ": " + error.what());
  }
}

void require_finished(const LoadedRun& run) {
  const Config& config = run.folder.config();
  const bool as_imported = !config.init_from.empty() && run.progress.step == 0;
  if (run.progress.epoch >= config.epochs || as_imported) return;
  throw std::invalid_argument("'" + run.folder.path() + "' has done " + std::to_string(run.progress.epoch) +
                              " of " + std::to_string(config.epochs) +
                              " epochs: finish it first: trainer resume " + run.folder.path());
}

nlohmann::ordered_json result_to_json(const RunResult& result) {
  return {{"step", result.step},   {"weights", result.weights}, {"data", result.data},
          {"count", result.count}, {"correct", result.correct}, {"test_accuracy", result.accuracy()}};
}

RunResult result_from_json(const nlohmann::json& json, const Config& config) {
  return {.step = json.at("step").get<std::uint64_t>(),
          .weights = json.value("weights", config.weights),  // older files do not say it
          .data = json.at("data").get<std::string>(),
          .count = json.at("count").get<std::size_t>(),
          .correct = json.at("correct").get<std::size_t>()};
}

void write_result(const RunFolder& folder, const RunResult& result) {
  write_file_text(folder.result(), result_to_json(result).dump(2) + "\n");
}

std::optional<RunResult> read_result(const RunFolder& folder) {
  std::error_code error;
  if (!std::filesystem::exists(folder.result(), error)) return std::nullopt;
  const auto json = nlohmann::json::parse(read_file_text(folder.result()), nullptr, false);
  try {
    return result_from_json(json, folder.config());
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

}  // namespace bitplane::train
