// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <optional>
#include <string>

#include "engine/cli/shared/number_flags.h"
#include "trainer/cli/common.h"
#include "trainer/cli/stages.h"
#include "trainer/cli/subcommands.h"
#include "trainer/run/build.h"

namespace bitplane::train {
namespace {

struct ResumeOptions {
  std::string run;
  std::string data_dir;
  std::optional<std::uint64_t> threads;
  bool json = false;
};

/// A procedure, or one of its stages.
std::optional<StageRequest> requested_stages(const ResumeOptions& options) {
  StageRequest request{.data_dir = options.data_dir,
                       .threads = options.threads,
                       .format = options.json ? cli::Format::JsonDocument : cli::Format::Text};
  if (ProcedureFolder::is_at(options.run)) {
    request.folder = options.run;
    return request;
  }
  const auto stage = stage_folder(options.run);
  if (!stage) return std::nullopt;
  request.folder = stage->procedure;
  request.only = {stage->stage};
  return request;
}

cli::ExitCode resume(const ResumeOptions& options) {
  if (const auto stages = requested_stages(options))
    return run_stages(ProcedureFolder::open(stages->folder), *stages);
  const RunFolder folder = RunFolder::open(options.run);
  Config where = folder.config();
  if (!options.data_dir.empty()) where.data_dir = options.data_dir;
  if (options.threads) where.threads = *options.threads;
  const TrainingData data = load_training_data(where);
  Training training = Training::resume(folder, data, thread_count(where));
  return run_to_the_end(training, data, options.json ? cli::Format::JsonDocument : cli::Format::Text);
}

}  // namespace

cli::Action declare_resume(CLI::App& app) {
  auto options = std::make_shared<ResumeOptions>();
  app.add_option("RUN", options->run, "run folder, or that of a procedure or of one of its stages")
      ->required();
  app.add_option("--data-dir", options->data_dir, "where the data set is now, if it moved");
  cli::declare_number(app, cli::threads_flag("another number of threads; the bits stay the same", 0),
                      [options](std::uint64_t threads) { options->threads = threads; });
  app.add_flag("--json", options->json, "result as JSON");
  return [options] { return guarded([&] { return resume(*options); }); };
}

}  // namespace bitplane::train
