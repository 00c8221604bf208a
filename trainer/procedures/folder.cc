// SPDX-License-Identifier: Apache-2.0
#include "trainer/procedures/folder.h"

#include <algorithm>
#include <filesystem>
#include <stdexcept>
#include <system_error>

#include "engine/cli/shared/errors.h"
#include "trainer/checkpoint/file.h"
#include "trainer/config/changes.h"

namespace bitplane::train {
namespace fs = std::filesystem;
namespace {

using cli::CommandError;
using cli::ExitCode;

constexpr const char* kFileName = "procedure.json";

std::string file_of(const std::string& path) {
  return (fs::path(path) / kFileName).string();
}

void make_folder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) {
    throw CommandError(ExitCode::SystemRefused,
                       "cannot make the folder '" + path + "': " + error.message() + "; give another --out");
  }
}

}  // namespace

bool ProcedureFolder::is_at(const std::string& path) {
  std::error_code error;
  return fs::exists(file_of(path), error);
}

ProcedureFolder ProcedureFolder::create(ProcedurePlan plan) {
  const std::string path = plan.request.out;
  if (is_at(path)) {
    ProcedureFolder there = open(path);
    const std::string change = changed_plan(there.plan_, plan);
    if (!change.empty() && there.has_begun()) {
      throw std::invalid_argument("'" + path + "' holds a procedure with other settings (" + change +
                                  "): go on with it by `trainer resume " + path + "`, or give another --out");
    }
    if (change.empty()) {
      for (std::size_t i = 0; i < plan.stages.size(); ++i) {
        if (!there.is_done(i)) there.plan_.stages[i] = plan.stages[i];
      }
      return there;
    }
  }
  RunFolder::refuse_existing_run(path);
  ProcedureFolder folder(std::move(plan));
  for (std::size_t i = 0; i < folder.plan_.stages.size(); ++i) folder.refuse_other_run(i);
  folder.is_new_ = true;
  return folder;
}

std::unique_ptr<RunLock> ProcedureFolder::begin() {
  make_folder(path());
  auto lock = std::make_unique<RunLock>(path());
  if (is_new_) write();
  is_new_ = false;
  return lock;
}

bool ProcedureFolder::has_begun() const {
  return std::ranges::any_of(plan_.stages,
                             [](const PlannedStage& stage) { return RunFolder::is_at(stage.config.out); });
}

ProcedureFolder ProcedureFolder::open(const std::string& path) {
  const std::string file = file_of(path);
  const auto damaged = [&](const std::string& how) {
    return CommandError(ExitCode::BadInput, file + ": " + how +
                                                "; bring it back, or remove it and give the same `trainer "
                                                "quantize` command again: stages that are done stay");
  };
  try {
    const auto json = nlohmann::json::parse(read_file_text(file));
    ProcedureFolder folder(plan_from_json(json, path));
    const auto& stages = json.at("stages");
    for (std::size_t i = 0; i < folder.results_.size(); ++i) {
      const auto& result = stages.at(i).at("result");
      if (result.is_null()) continue;
      folder.results_[i] = result_from_json(result, folder.plan_.stages[i].config);
    }
    folder.forget_deleted();
    return folder;
  } catch (const nlohmann::json::parse_error& error) {
    throw damaged("not JSON at byte " + std::to_string(error.byte));
  } catch (const nlohmann::json::exception&) {
    throw damaged("it lacks something that describes a procedure");
  } catch (const std::invalid_argument& error) {
    throw damaged(error.what());
  }
}

void ProcedureFolder::forget_deleted() {
  for (std::size_t i = results_.size(); i > 0; --i) {
    const std::string& run = plan_.stages[i - 1].config.out;
    if (is_done(i - 1) ? RunFolder::is_at(run) : RunFolder::has_begun(run)) return;
    results_[i - 1].reset();
  }
}

void ProcedureFolder::refuse_other_run(std::size_t stage) const {
  const Config& planned = plan_.stages.at(stage).config;
  if (!RunFolder::is_at(planned.out)) return;
  const auto change = changed_setting(deciding_settings(RunFolder::open(planned.out).config()), planned);
  if (!change) return;
  throw std::invalid_argument("'" + planned.out + "' holds a run with other settings (" + *change +
                              "): remove that folder to run the stage again, or give another --out");
}

std::string ProcedureFolder::prepared_file(std::size_t stage) const {
  return (fs::path(path()) / (plan_.stages.at(stage).folder + ".prepared.json")).string();
}

void ProcedureFolder::set_done(std::size_t stage, const RunResult& result) {
  results_.at(stage) = result;
  write();
}

void ProcedureFolder::write() const {
  nlohmann::ordered_json json = plan_to_json(plan_);
  for (std::size_t i = 0; i < plan_.stages.size(); ++i) {
    const PlannedStage& planned = plan_.stages[i];
    nlohmann::ordered_json row{{"name", planned.stage.name},
                               {"folder", planned.folder},
                               {"description", planned.stage.description},
                               {"wbits", planned.config.wbits},
                               {"abits", planned.config.abits},
                               {"epochs", planned.config.epochs},
                               {"result", nullptr}};
    if (const auto& result = results_[i]) row["result"] = result_to_json(*result);
    json["stages"].push_back(std::move(row));
  }
  write_file_text(file_of(path()), json.dump(2) + "\n");
}

std::string final_run(const std::string& path) {
  if (!ProcedureFolder::is_at(path)) return path;
  const ProcedureFolder folder = ProcedureFolder::open(path);
  const std::size_t last = folder.plan().stages.size() - 1;
  if (folder.is_done(last)) return folder.plan().stages[last].config.out;
  std::string done;
  for (std::size_t i = 0; i < last; ++i) {
    if (folder.is_done(i)) done += (done.empty() ? "" : ", ") + folder.plan().stages[i].config.out;
  }
  throw CommandError(ExitCode::BadInput, "'" + path + "' has not done its last stage, '" +
                                             folder.plan().stages[last].stage.name +
                                             "': go on with `trainer resume " + path + "`" +
                                             (done.empty() ? "" : ", or give a stage that is done: " + done));
}

std::optional<StageFolder> stage_folder(const std::string& path) {
  const fs::path full = fs::path(path).lexically_normal();
  const fs::path folder = full.filename().empty() ? full.parent_path() : full;
  const std::string parent = folder.parent_path().empty() ? "." : folder.parent_path().string();
  if (!ProcedureFolder::is_at(parent)) return std::nullopt;
  const ProcedureFolder procedure = ProcedureFolder::open(parent);
  for (const PlannedStage& planned : procedure.plan().stages) {
    if (planned.folder == folder.filename()) return StageFolder{parent, planned.stage.name};
  }
  return std::nullopt;
}

}  // namespace bitplane::train
