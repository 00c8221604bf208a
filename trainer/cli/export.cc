// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "bitplane/model_spec.h"
#include "engine/cli/shared/errors.h"
#include "engine/cli/shared/json_output.h"
#include "engine/cli/shared/number_text.h"
#include "engine/cli/shared/output_files.h"
#include "trainer/cli/common.h"
#include "trainer/cli/subcommands.h"
#include "trainer/export/export.h"
#include "trainer/interchange/torch_file.h"
#include "trainer/nets/net_file.h"
#include "trainer/procedures/folder.h"
#include "trainer/run/loaded_run.h"

namespace bitplane::train {
namespace {

struct ExportOptions {
  std::string run, out, torch_names, checkpoint = "last", weights;
  bool json = false;
};

/// What was written, for the report.
struct Written {
  std::string title, path, name;
  cli::Json json;
};

Written write_engine_model(const LoadedRun& run, const std::string& path) {
  const engine::ModelSpec spec = export_run(run);
  cli::check(engine::write_model(path, spec));
  const auto bytes = static_cast<std::size_t>(std::filesystem::file_size(path));
  return {.title = "model          ",
          .path = path,
          .name = spec.name,
          .json = {{"model", path}, {"model_bytes", bytes}, {"provenance", spec.provenance}}};
}

Written write_torch_weights(const LoadedRun& run, const std::string& path) {
  cli::check(engine::write_file_atomically(
      path, torch_file_bytes(*run.net, {run.folder.config().net, run.task.input.channels})));
  return {.title = "float weights  ",
          .path = path,
          .name = net_title(run.folder.config().net),
          .json = {{"torch_weights", path}}};
}

cli::ExitCode export_model(const ExportOptions& options) {
  if (options.out.empty() && options.torch_names.empty()) {
    throw std::invalid_argument("say what to write: --out MODEL or --torch-names FILE");
  }
  const LoadedRun run = load_run(final_run(options.run), parse_which(options.checkpoint), options.weights);
  cli::check_targets(
      {.targets = {{"--out", options.out, run.folder.model()}, {"--torch-names", options.torch_names}}});
  std::vector<Written> written;
  if (!options.out.empty()) written.push_back(write_engine_model(run, options.out));
  if (!options.torch_names.empty()) written.push_back(write_torch_weights(run, options.torch_names));
  cli::Json json{{"run", options.run}, {"checkpoint", options.checkpoint}};
  for (const Written& file : written) {
    json.update(file.json);
    if (options.json) continue;
    const auto bytes = static_cast<std::size_t>(std::filesystem::file_size(file.path));
    std::cout << file.title << file.path << " (" << cli::short_bytes(bytes) << ", " << file.name << ")\n";
  }
  if (options.json) cli::print_json(json);
  return cli::ExitCode::Ok;
}

}  // namespace

cli::Action declare_export(CLI::App& app) {
  auto options = std::make_shared<ExportOptions>();
  app.add_option("RUN", options->run, "run folder, or that of a procedure: its last stage")->required();
  app.add_option("--out", options->out, "the model file to write");
  app.add_option("--torch-names", options->torch_names,
                 "write the float weights as safetensors with PyTorch's names and layouts");
  app.add_option("--checkpoint", options->checkpoint, "last or best")->capture_default_str();
  app.add_option("--weights", options->weights, "trained or averaged; as the run's config when left out");
  app.add_flag("--json", options->json, "result as JSON");
  return [options] { return guarded([&] { return export_model(*options); }); };
}

}  // namespace bitplane::train
