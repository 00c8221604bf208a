// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/run_folder.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "engine/cli/shared/errors.h"
#include "engine/cli/shared/number_text.h"
#include "trainer/checkpoint/file.h"

namespace bitplane::train {
namespace fs = std::filesystem;
namespace {

using cli::CommandError;
using cli::ExitCode;

constexpr const char* kConfigName = "config.json";
constexpr const char* kLastName = "checkpoint-last.safetensors";
constexpr const char* kBestName = "checkpoint-best.safetensors";
constexpr const char* kCsvName = "metrics.csv";
constexpr const char* kJsonlName = "metrics.jsonl";
constexpr const char* kResultName = "result.json";
constexpr const char* kModelName = "model.safetensors";
constexpr const char* kEventsName = "events.out.tfevents.0.bitplane";
/// What is written behind an epoch; a run that was killed before its first checkpoint has none of them.
constexpr std::array kTraces{kBestName, kCsvName, kJsonlName, kResultName, kModelName};

/// Last and best, one of them twice while it is replaced, the exported model, and some air.
constexpr std::size_t kRoomInCheckpoints = 5;

/// "" where there is none.
std::string first_trace(const fs::path& folder) {
  std::error_code error;
  for (const char* trace : kTraces) {
    if (fs::exists(folder / trace, error)) return trace;
  }
  return "";
}

void make_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) {
    throw CommandError(ExitCode::SystemRefused, "cannot make the folder '" + path.string() +
                                                    "': " + error.message() + "; give another --out");
  }
}

}  // namespace

bool RunFolder::is_at(const std::string& path) {
  std::error_code error;
  return fs::exists(fs::path(path) / kConfigName, error);
}

bool RunFolder::has_begun(const std::string& path) {
  std::error_code error;
  const fs::path folder(path);
  return is_at(path) && (fs::exists(folder / kLastName, error) || !first_trace(folder).empty());
}

void RunFolder::refuse_existing_run(const std::string& path) {
  const fs::path folder(path);
  std::error_code error;
  if (fs::exists(folder, error) && !fs::is_directory(folder, error)) {
    throw CommandError(ExitCode::BadUsage, "'" + path + "' is a file: give a folder as --out");
  }
  if (is_at(path)) {
    throw CommandError(ExitCode::BadUsage, "'" + path +
                                               "' already holds a run: continue it with `trainer resume " +
                                               path + "`, or give another --out");
  }
  if (fs::exists(folder / kLastName, error) || fs::exists(folder / kBestName, error)) {
    throw CommandError(ExitCode::BadUsage, "'" + path + "' holds checkpoints but no " + kConfigName +
                                               ": bring that back, or remove the folder to run it again");
  }
}

void RunFolder::refuse_results(const std::string& path) {
  refuse_existing_run(path);
  const std::string trace = first_trace(path);
  if (trace.empty()) return;
  throw CommandError(ExitCode::BadUsage,
                     "'" + path + "' holds a file " + trace +
                         ", which a run would write over: move it, or give another --out");
}

void RunFolder::make(const std::string& path) {
  refuse_results(path);
  make_folder(path);
}

RunFolder RunFolder::create(const std::string& path, const Config& config, std::size_t checkpoint_bytes) {
  refuse_results(path);
  const fs::path folder(path);
  make_folder(folder);
  RunFolder run(folder, config);
  try {
    run.check_room(checkpoint_bytes);
    write_file_text((folder / kConfigName).string(), config_to_json(config).dump(2) + "\n");
  } catch (...) {
    run.discard();
    throw;
  }
  return run;
}

void RunFolder::discard() const {
  std::error_code ignored;
  fs::remove(path_ / kConfigName, ignored);
  fs::remove(path_, ignored);  // only when nothing else is in it
}

void RunFolder::check_room(std::size_t checkpoint_bytes) const {
  std::error_code error;
  std::size_t held = 0;  // of the room that the run takes, what a run that goes on has taken already
  for (const char* name : {kLastName, kBestName, kModelName}) {
    const std::uintmax_t size = fs::file_size(path_ / name, error);
    if (!error) held += size;
  }
  const std::size_t whole = kRoomInCheckpoints * checkpoint_bytes, wanted = whole - std::min(held, whole);
  const fs::space_info space = fs::space(path_, error);
  if (!error && space.available < wanted) {
    throw CommandError(ExitCode::SystemRefused,
                       "the disk of '" + path() + "' has " + cli::short_bytes(space.available) +
                           " left, this run needs " + cli::short_bytes(wanted) + ": make room" +
                           (held == 0 ? " or give another --out" : ""));
  }
}

void RunFolder::remove_leftovers() const {
  std::error_code error;
  std::vector<fs::path> unfinished;
  for (const auto& entry : fs::directory_iterator(path_, error)) {
    const std::string name = entry.path().filename().string();
    for (const char* file : {kConfigName, kCsvName, kJsonlName, "provenance.json", kResultName}) {
      if (name.starts_with(std::string(file) + ".tmp-")) unfinished.push_back(entry.path());
    }
    if (name.find(".safetensors.tmp-") != std::string::npos) unfinished.push_back(entry.path());
  }
  for (const fs::path& file : unfinished) fs::remove(file, error);
}

RunFolder RunFolder::open(const std::string& path) {
  const fs::path folder(path);
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    const bool file = fs::exists(folder, error);
    throw CommandError(ExitCode::BadInput, "'" + path + (file ? "' is a file" : "' is no folder") +
                                               ": give the folder of a run, the --out of `trainer train`");
  }
  const fs::path config = folder / kConfigName;
  if (!fs::exists(config, error)) {
    throw CommandError(ExitCode::BadInput, "'" + path + "' holds no run: it has no " + kConfigName);
  }
  const auto damaged = [](const std::string& how) {
    return CommandError(ExitCode::BadInput, how + "; bring back the settings that the run began with");
  };
  try {
    Config resolved = resolve_config(read_config_file(config.string()), {});
    resolved.out = path;
    return {folder, std::move(resolved)};
  } catch (const CommandError& problem) {
    throw damaged(problem.what());
  } catch (const std::invalid_argument& problem) {
    throw damaged(problem.what());
  }
}

std::string RunFolder::checkpoint(Which which) const {
  return (path_ / (which == Which::Last ? kLastName : kBestName)).string();
}

bool RunFolder::has_checkpoint(Which which) const {
  std::error_code error;
  return fs::exists(checkpoint(which), error);
}

std::string RunFolder::events() const {
  return (path_ / kEventsName).string();
}

std::string RunFolder::model() const {
  return (path_ / kModelName).string();
}

std::string RunFolder::result() const {
  return (path_ / kResultName).string();
}

void RunFolder::refuse_lost_checkpoint() const {
  const std::string trace = first_trace(path_);
  if (trace.empty()) return;
  const std::string back = has_checkpoint(Which::Best) ? "bring it back, copy " + std::string(kBestName) +
                                                             " there to go on from the best epoch,"
                                                       : "bring it back,";
  throw CommandError(ExitCode::BadInput, "'" + checkpoint(Which::Last) + "' is gone, and " + trace +
                                             " shows that the run had begun: " + back +
                                             " or start a new run with another --out");
}

std::vector<EpochRow> RunFolder::read_metrics(std::uint64_t last_epoch) const {
  const std::string file = (path_ / kJsonlName).string();
  std::error_code error;
  if (!fs::exists(file, error)) return {};
  try {
    std::vector<EpochRow> rows = parse_metrics_jsonl(read_file_text(file));
    std::erase_if(rows, [&](const EpochRow& row) { return row.epoch > last_epoch; });
    return rows;
  } catch (const std::invalid_argument& problem) {
    throw CommandError(ExitCode::BadInput, file + ": " + problem.what() + "; mend it, or remove it and " +
                                               kCsvName + " to go on without their rows");
  }
}

void RunFolder::refuse_lost_metrics(std::span<const EpochRow> rows, std::uint64_t last_epoch) const {
  const fs::path csv = path_ / kCsvName;
  std::error_code error;
  if (!fs::exists(csv, error)) return;
  const std::size_t epochs = count_csv_epochs(read_file_text(csv.string()), last_epoch);
  if (rows.size() >= epochs) return;
  throw CommandError(ExitCode::BadInput, "'" + (path_ / kJsonlName).string() + "' has " +
                                             std::to_string(rows.size()) + " of the " +
                                             std::to_string(epochs) + " epochs in " + kCsvName +
                                             ": bring it back, or remove both to go on without their rows");
}

void RunFolder::write_metrics(std::span<const EpochRow> rows) const {
  write_file_text((path_ / kCsvName).string(), metrics_csv(rows));
  write_file_text((path_ / kJsonlName).string(), metrics_jsonl(rows));
}

}  // namespace bitplane::train
