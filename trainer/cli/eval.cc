// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

#include "engine/cli/shared/errors.h"
#include "engine/cli/shared/json_output.h"
#include "engine/cli/shared/number_flags.h"
#include "engine/cli/shared/number_text.h"
#include "engine/cli/shared/output_files.h"
#include "trainer/cli/common.h"
#include "trainer/cli/subcommands.h"
#include "trainer/evaluation/evaluate.h"
#include "trainer/export/export.h"
#include "trainer/procedures/folder.h"
#include "trainer/report/progress.h"
#include "trainer/run/build.h"
#include "trainer/run/loaded_run.h"

namespace bitplane::train {
namespace {

struct EvalOptions {
  std::string run, data, data_dir, trace, checkpoint = "last", weights;
  std::uint64_t threads = 0;
  bool json = false, other_data = false;
};

/// Another data set's accuracy means nothing unless it has the same classes.
void refuse_other_classes(const LoadedRun& run, const std::string& data,
                          const engine::data::PictureSet& test) {
  if (run.task.labels == test.class_names) return;
  throw std::invalid_argument(
      "the run was trained on " + run.folder.config().data + ", whose classes are not those of " +
      (data == run.folder.config().data ? "this folder" : data) + "; give that data set, or --other-data");
}
/// Rows of another width would be read as others.
void refuse_other_sizes(const LoadedRun& run, const engine::data::PictureSet& test) {
  const auto text = [](std::size_t height, std::size_t width, std::size_t channels) {
    return std::to_string(height) + "x" + std::to_string(width) + "x" + std::to_string(channels);
  };
  const auto& input = run.task.input;
  const std::string wanted = text(input.height, input.width, input.channels);
  const std::string found = text(test.height, test.width, test.channels);
  if (wanted != found)
    throw std::invalid_argument("the pictures are " + found + ", the run was trained on " + wanted);
}

/// The run's settings, on the data set that is asked for.
Config evaluated_config(const LoadedRun& run, const EvalOptions& options) {
  Config config = run.folder.config();
  if (!options.data.empty() && options.data != config.data) {
    config.data = options.data;
    config.data_dir.clear();
  }
  if (!options.data_dir.empty()) config.data_dir = options.data_dir;
  config.threads = options.threads;
  return config;
}

cli::ExitCode eval(const EvalOptions& options) {
  const LoadedRun run = load_run(final_run(options.run), parse_which(options.checkpoint), options.weights);
  const Config config = evaluated_config(run, options);
  cli::check_targets({.targets = {{"--trace", options.trace}},
                      .data_folder = cli::data_folder(config.data, config.data_dir)});
  const auto test =
      cli::take(engine::data::load_dataset(config.data, config.data_dir, engine::data::Split::Test));

  refuse_other_sizes(run, test);
  if (!options.other_data) refuse_other_classes(run, config.data, test);
  const Evaluator evaluator(describe_run(run), run_features());
  ThreadPool threads(thread_count(config));
  engine::data::Trace trace;
  trace.header.dataset = config.data;
  const auto start = std::chrono::steady_clock::now();
  EvaluationResult result;
  {
    ProgressReport report(sink_of_stderr());
    result = evaluate(
        evaluator, test,
        {.threads = threads,
         .trace = options.trace.empty() ? nullptr : &trace,
         .progress = [&](std::size_t done) { report.count("evaluating: picture", done, test.count); }});
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!options.trace.empty()) cli::check(engine::data::write_trace(options.trace, trace));

  if (options.json) {
    cli::print_json({{"run", options.run},
                     {"data", config.data},
                     {"test_pictures", result.count},
                     {"test_correct", result.correct},
                     {"test_accuracy", result.accuracy()},
                     {"seconds", seconds}});
    return cli::ExitCode::Ok;
  }
  std::cout << "test accuracy  " << cli::percent(result.accuracy()) << " (" << result.correct << " of "
            << result.count << " pictures of " << config.data << ", " << cli::fixed(seconds, 1) << " s)\n";
  if (!options.trace.empty()) std::cout << "trace          " << options.trace << '\n';
  return cli::ExitCode::Ok;
}

}  // namespace

cli::Action declare_eval(CLI::App& app) {
  auto options = std::make_shared<EvalOptions>();
  app.add_option("RUN", options->run, "run folder, or that of a procedure: its last stage")->required();
  app.add_option("--data", options->data, "data set; the run's own when left out");
  app.add_option("--data-dir", options->data_dir, "its folder, when it is not the usual one");
  app.add_flag("--other-data", options->other_data, "accept a data set that the run was not trained on");
  app.add_option("--trace", options->trace, "write logits and code digests for `bitplane verify`");
  app.add_option("--checkpoint", options->checkpoint, "last or best")->capture_default_str();
  app.add_option("--weights", options->weights, "trained or averaged; as the run's config when left out");
  cli::add_number(app, cli::threads_flag("0: as many as the machine has", 0), options->threads);
  app.add_flag("--json", options->json, "result as JSON");
  return [options] { return guarded([&] { return eval(*options); }); };
}

}  // namespace bitplane::train
