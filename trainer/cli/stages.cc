// SPDX-License-Identifier: Apache-2.0
#include "trainer/cli/stages.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "engine/cli/shared/errors.h"
#include "engine/cli/shared/number_text.h"
#include "trainer/checkpoint/file.h"
#include "trainer/procedures/carry_state.h"
#include "trainer/run/build.h"
#include "trainer/run/net_state.h"
#include "trainer/run/quantized_parts.h"
#include "trainer/run/stop.h"

namespace bitplane::train {
namespace {

using cli::CommandError;
using cli::ExitCode;

[[noreturn]] void refuse_gap(const ProcedureFolder& folder, std::size_t stage) {
  const auto& stages = folder.plan().stages;
  throw std::invalid_argument("stage '" + stages[stage].stage.name + "' begins with the end of stage '" +
                              stages[stage - 1].stage.name + "', which is not done: `trainer resume " +
                              folder.path() + "` runs all that is missing");
}

/// Of the wanted stages; each begins with one that is done, or that is done before it.
std::vector<std::size_t> stages_left(const ProcedureFolder& folder, const std::vector<std::size_t>& wanted) {
  std::vector<std::size_t> left;
  for (const std::size_t i : wanted) {
    if (folder.is_done(i)) continue;
    const bool follows = i == 0 || folder.is_done(i - 1) || (!left.empty() && left.back() == i - 1);
    if (!follows) refuse_gap(folder, i);
    left.push_back(i);
  }
  return left;
}

void refuse_other_data(const LoadedRun& from, const TrainingData& data) {
  if (from.task.train_digest == data.train.digest && from.task.test_digest == data.test.digest) return;
  throw CommandError(ExitCode::BadInput, "'" + from.folder.path() + "' was trained on other pictures than " +
                                             "data set '" + from.folder.config().data +
                                             "' holds now; give back the same files (--data-dir)");
}

/// Stages that are done began with other weights than one that would begin now.
void refuse_trained_on(const ProcedurePlan& plan, Module& float_net) {
  if (!plan.from_checksum || *plan.from_checksum == state_checksum(float_net)) return;
  throw CommandError(ExitCode::BadInput, "'" + plan.from +
                                             "' has other weights than when this procedure began: give "
                                             "another --out to start from those");
}

/// The net that a stage begins with.
LoadedRun start_of(const ProcedureFolder& folder, std::size_t index, const TrainingData& data) {
  const ProcedurePlan& plan = folder.plan();
  LoadedRun before = index == 0 ? load_run_for("--from", plan.from)
                                : load_run(plan.stages[index - 1].config.out, Which::Last);
  refuse_other_data(before, data);
  if (index == 0) refuse_trained_on(plan, *before.net);
  return before;
}

void check_stage(const PlannedStage& planned, const TrainingData& data) {
  const std::string begin = "stage '" + planned.stage.name + "': ";
  try {
    Training::rehearse(planned.config, data,
                       [](const StartPoint& point) { require_quantized_parts(point.config, point.net); });
  } catch (const CommandError& error) {
    throw CommandError(error.code(), begin + error.what());
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(begin + error.what());
  }
}

/// Refuses what can be known before anything is written or trained. All stages of a new procedure count, also
/// those that --until leaves for later: what was given for them stays with the folder.
void check_stages(const ProcedureFolder& folder, const std::vector<std::size_t>& left,
                  const TrainingData& data) {
  const auto& stages = folder.plan().stages;
  if (!RunFolder::has_begun(stages[left.front()].config.out))
    static_cast<void>(start_of(folder, left.front(), data));
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const bool comes = folder.is_new() || std::ranges::find(left, i) != left.end();
    if (comes && !RunFolder::has_begun(stages[i].config.out)) check_stage(stages[i], data);
  }
}

/// The state of the stage before, by name, then what the quantizers and the stage make of it.
void prepare_stage(const ProcedureFolder& folder, std::size_t index, const StartPoint& point) {
  const ProcedurePlan& plan = folder.plan();
  const PlannedStage& planned = plan.stages[index];
  const LoadedRun before = start_of(folder, index, point.data);
  const CarriedState carried = carry_state(*before.net, point.net);
  for (const QuantizedLayer& layer : quantized_layers(point.net)) {
    layer.quantizer->begin_stage({.name = planned.stage.name, .index = index, .count = plan.stages.size()},
                                 *layer.weights);
  }
  nlohmann::ordered_json report{
      {"before", index == 0 ? before.folder.config().method : plan.stages[index - 1].stage.name},
      {"tensors_taken", carried.taken},
      {"fresh", carried.fresh},
      {"unused", carried.unused}};
  cli::note("stage '" + planned.stage.name + "': " + std::to_string(carried.taken) + " tensors taken over, " +
            std::to_string(carried.fresh.size()) + " fresh, " + std::to_string(carried.unused.size()) +
            " not used");
  if (planned.stage.prepare) {
    report["found"] = planned.stage.prepare({.point = point,
                                             .before = *before.net,
                                             .seed = plan.request.seed,
                                             .say = [](const std::string& text) { cli::note(text); }});
  }
  write_file_text(folder.prepared_file(index), report.dump(2) + "\n");
}

/// A run without any checkpoint is what a kill left of a stage that had not begun. Its own files go, and
/// nothing else that may lie there.
void remove_unbegun(const Config& config) {
  if (!RunFolder::is_at(config.out) || RunFolder::has_begun(config.out)) return;
  const RunFolder run = RunFolder::open(config.out);
  run.remove_leftovers();
  run.discard();
}

Training begin_or_resume(const ProcedureFolder& folder, std::size_t index, const TrainingData& data) {
  const Config& config = folder.plan().stages[index].config;
  remove_unbegun(config);
  folder.refuse_other_run(index);
  if (RunFolder::is_at(config.out))
    return Training::resume(RunFolder::open(config.out), data, thread_count(config));
  return Training::start(config, data, [&](const StartPoint& point) { prepare_stage(folder, index, point); });
}

void use_surroundings(const StageRequest& request, ProcedurePlan& plan) {
  for (PlannedStage& planned : plan.stages) {
    if (!request.data_dir.empty()) planned.config.data_dir = request.data_dir;
    if (request.threads) planned.config.threads = *request.threads;
  }
}

void note_how_it_goes_on(const ProcedureFolder& folder) {
  cli::note("the whole procedure goes on with: trainer resume " + folder.path());
}

void print_stages(const ProcedureFolder& folder) {
  const auto& stages = folder.plan().stages;
  std::cout << "procedure      " << folder.path() << " (" << folder.plan().procedure->method << ")\n";
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const auto& result = folder.result(i);
    std::cout << "  " << stages[i].folder
              << std::string(
                     std::max<std::size_t>(1, 20 - std::min<std::size_t>(19, stages[i].folder.size())), ' ')
              << stages[i].config.wbits << "/" << stages[i].config.abits << "  "
              << (result ? cli::percent(result->accuracy()) : "not done") << '\n';
  }
}

}  // namespace

std::vector<std::size_t> selected_stages(const ProcedurePlan& plan, const StageRequest& request) {
  const std::size_t end = request.until.empty() ? plan.stages.size() : plan.stage_at(request.until) + 1;
  std::vector<std::size_t> wanted;
  for (std::size_t i = 0; i < end; ++i) {
    if (request.only.empty()) wanted.push_back(i);
  }
  for (const std::string& name : request.only) wanted.push_back(plan.stage_at(name));
  std::ranges::sort(wanted);
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  std::erase_if(wanted, [&](std::size_t i) { return i >= end; });
  if (wanted.empty()) {
    throw std::invalid_argument("--stages has no stage up to '" + request.until +
                                "', where --until stops: leave one of them out");
  }
  return wanted;
}

ExitCode run_stages(ProcedureFolder folder, const StageRequest& request) {
  use_surroundings(request, folder.plan());
  std::unique_ptr<RunLock> lock = folder.is_new() ? nullptr : folder.begin();
  const std::vector<std::size_t> left = stages_left(folder, selected_stages(folder.plan(), request));
  std::optional<TrainingData> data;
  if (!left.empty()) {
    data = load_training_data(folder.plan().stages[left.front()].config);
    check_stages(folder, left, *data);
  }
  if (!lock) lock = folder.begin();
  cli::Json rows = cli::Json::array();
  for (const std::size_t i : left) {
    Training training = begin_or_resume(folder, i, *data);
    const std::optional<Finished> finished = train_to_the_end(training, *data);
    if (!finished) {
      note_how_it_goes_on(folder);
      return ExitCode::Interrupted;
    }
    folder.set_done(i, finished->result);
    rows.push_back(finished_json(training, *finished));
    // Asked for while the stage's last epoch was measured: nothing was left to stop there.
    if (StopSignal::requested() && i != left.back()) {
      note_how_it_goes_on(folder);
      return ExitCode::Interrupted;
    }
  }
  if (request.format == cli::Format::Text) {
    print_stages(folder);
    return ExitCode::Ok;
  }
  cli::Json result{{"procedure", folder.plan().procedure->method}, {"run", folder.path()}, {"ran", rows}};
  for (std::size_t i = 0; i < folder.plan().stages.size(); ++i) {
    const PlannedStage& planned = folder.plan().stages[i];
    cli::Json row{{"name", planned.stage.name}, {"run", planned.config.out}, {"test_accuracy", nullptr}};
    if (folder.is_done(i)) row["test_accuracy"] = folder.result(i)->accuracy();
    result["stages"].push_back(row);
  }
  cli::print_json(result);
  return ExitCode::Ok;
}

}  // namespace bitplane::train
