// SPDX-License-Identifier: Apache-2.0
#include "trainer/cli/common.h"

#include <array>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <string_view>

#include "bitplane/model_spec.h"
#include "engine/cli/shared/errors.h"
#include "engine/cli/shared/json_output.h"
#include "engine/cli/shared/number_text.h"
#include "engine/data/nearest_name.h"
#include "trainer/evaluation/evaluate.h"
#include "trainer/export/describe.h"
#include "trainer/export/export.h"
#include "trainer/report/progress.h"
#include "trainer/run/divergence.h"
#include "trainer/run/stop.h"

namespace bitplane::train {
namespace {

using cli::CommandError;
using cli::ExitCode;

/// The normative evaluation of the last checkpoint, kept as result.json, and the exported model.
Finished evaluate_and_export(Training& training, const engine::data::PictureSet& test,
                             ProgressReport& report) {
  const LoadedRun run = load_run(training.folder().path(), Which::Last);
  const Evaluator evaluator(describe_run(run), training.backend().features());
  const auto progress = [&](std::size_t done) { report.count("evaluating: picture", done, test.count); };
  const EvaluationResult measured = evaluate(
      evaluator, test, {.threads = training.backend().threads(), .trace = nullptr, .progress = progress});
  Finished finished{.result = {.step = run.progress.step,
                               .weights = run.weights,
                               .data = training.config().data,
                               .count = measured.count,
                               .correct = measured.correct}};
  write_result(training.folder(), finished.result);
  const std::string path = training.folder().model();
  cli::check(engine::write_model(path, export_run(run)));
  finished.model_bytes = static_cast<std::size_t>(std::filesystem::file_size(path));
  return finished;
}

/// Of a net that model files cannot hold: what the last epoch measured with the trainer's own forward pass.
Finished finish_without_model(const Training& training, std::size_t pictures, ProgressReport& report,
                              const NotInFormat& missing) {
  report.line(std::string("the run is complete, but it has no model file: ") + missing.what());
  const double correct = training.progress().test_accuracy * static_cast<double>(pictures);
  return {.result = {.step = training.progress().step,
                     .weights = training.config().weights,
                     .data = training.config().data,
                     .count = pictures,
                     .correct = static_cast<std::size_t>(std::llround(correct))},
          .model_bytes = std::nullopt};
}

Finished finish(Training& training, const engine::data::PictureSet& test, ProgressReport& report) {
  try {
    Finished finished = evaluate_and_export(training, test, report);
    report.line("finished; write the model elsewhere with: trainer export " + training.folder().path() +
                " --out model.safetensors");
    return finished;
  } catch (const NotInFormat& missing) {
    return finish_without_model(training, test.count, report, missing);
  }
}

double seconds_of(const Training& training) {
  double seconds = 0;
  for (const EpochRow& row : training.rows()) seconds += row.seconds;
  return seconds;
}

}  // namespace

cli::Json finished_json(const Training& training, const Finished& finished) {
  const RunFolder& folder = training.folder();
  cli::Json result{{"run", folder.path()},
                   {"data", finished.result.data},
                   {"epochs", training.progress().epoch},
                   {"train_seconds", seconds_of(training)},
                   {"test_pictures", finished.result.count},
                   {"test_correct", finished.result.correct},
                   {"test_accuracy", finished.result.accuracy()},
                   {"model", nullptr},
                   {"model_bytes", nullptr}};
  if (finished.model_bytes) {
    result["model"] = folder.model();
    result["model_bytes"] = *finished.model_bytes;
  }
  return result;
}

void print_finished(const Training& training, const Finished& finished) {
  const RunFolder& folder = training.folder();
  std::cout << "run            " << folder.path() << "\ntest accuracy  "
            << cli::percent(finished.result.accuracy()) << " (" << finished.result.correct << " of "
            << finished.result.count << " pictures of " << finished.result.data << ")\ntraining       "
            << cli::fixed(seconds_of(training), 1) << " s for " << training.progress().epoch << " epochs\n";
  if (finished.model_bytes) {
    std::cout << "model          " << folder.model() << " (" << cli::short_bytes(*finished.model_bytes)
              << ")\n";
  }
}

ExitCode guarded(const std::function<ExitCode()>& action) {
  try {
    return action();
  } catch (const Diverged& error) {
    throw CommandError(ExitCode::CheckFailed, error.what());
  } catch (const std::invalid_argument& error) {
    throw CommandError(ExitCode::BadUsage, error.what());
  }
}

Which parse_which(const std::string& name) {
  if (name == "last") return Which::Last;
  if (name == "best") return Which::Best;
  constexpr std::array<std::string_view, 2> kKnown{"last", "best"};
  throw std::invalid_argument(engine::data::unknown_name_message("checkpoint", name, kKnown));
}

namespace {

/// What ends a run goes into its log, too.
Outcome run_epochs(Training& training, ProgressReport& report) {
  const StopSignal signal;
  try {
    return training.run({.step = [&](const StepReport& step) { report.step(step); },
                         .epoch = [&](const EpochRow& row) { report.epoch(row, training.config().epochs); },
                         .stop = [] { return StopSignal::requested(); }});
  } catch (const std::exception& error) {
    report.log(error.what());
    throw;
  }
}

}  // namespace

std::optional<Finished> train_to_the_end(Training& training, const TrainingData& data) {
  ProgressReport report(sink_of_stderr(), training.folder().log());
  report.line((training.progress().step == 0
                   ? "training "
                   : "going on after step " + std::to_string(training.progress().step) + " with ") +
              config_to_json(training.config()).dump());
  if (run_epochs(training, report) == Outcome::Stopped) {
    report.line("stopped in epoch " + std::to_string(training.progress().epoch + 1) + " after step " +
                std::to_string(training.progress().step_in_epoch) + "; go on with: trainer resume " +
                training.folder().path());
    return std::nullopt;
  }
  return finish(training, data.test, report);
}

ExitCode run_to_the_end(Training& training, const TrainingData& data, cli::Format format) {
  const std::optional<Finished> finished = train_to_the_end(training, data);
  if (!finished) return ExitCode::Interrupted;
  if (format == cli::Format::JsonDocument) {
    cli::print_json(finished_json(training, *finished));
  } else {
    print_finished(training, *finished);
  }
  return ExitCode::Ok;
}

}  // namespace bitplane::train
