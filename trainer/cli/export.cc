// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>

#include "bitplane/model_spec.h"
#include "engine/cli/shared/errors.h"
#include "engine/cli/shared/json_output.h"
#include "engine/cli/shared/number_text.h"
#include "trainer/cli/common.h"
#include "trainer/cli/subcommands.h"
#include "trainer/export/export.h"
#include "trainer/run/loaded_run.h"

namespace bitplane::train {
namespace {

struct ExportOptions {
  std::string run, out, checkpoint = "last", weights;
  bool json = false;
};

void check_folder(const std::string& file) {
  const std::filesystem::path folder = std::filesystem::path(file).parent_path();
  std::error_code error;
  if (folder.empty() || std::filesystem::is_directory(folder, error)) return;
  throw std::invalid_argument("--out " + file + ": there is no folder '" + folder.string() +
                              "'; make it first");
}

cli::ExitCode export_model(const ExportOptions& options) {
  check_folder(options.out);
  const LoadedRun run = load_run(options.run, parse_which(options.checkpoint), options.weights);
  const engine::ModelSpec spec = export_run(run);
  cli::check(engine::write_model(options.out, spec));
  const auto bytes = static_cast<std::size_t>(std::filesystem::file_size(options.out));
  if (options.json) {
    cli::print_json({{"run", options.run},
                     {"checkpoint", options.checkpoint},
                     {"model", options.out},
                     {"model_bytes", bytes},
                     {"provenance", spec.provenance}});
  } else {
    std::cout << "model          " << options.out << " (" << cli::short_bytes(bytes) << ", " << spec.name
              << ")\n";
  }
  return cli::ExitCode::Ok;
}

}  // namespace

cli::Action declare_export(CLI::App& app) {
  auto options = std::make_shared<ExportOptions>();
  app.add_option("RUN", options->run, "run folder")->required();
  app.add_option("--out", options->out, "the model file to write")->required();
  app.add_option("--checkpoint", options->checkpoint, "last or best")->capture_default_str();
  app.add_option("--weights", options->weights, "trained or averaged; as the run's config when left out");
  app.add_flag("--json", options->json, "result as JSON");
  return [options] { return guarded([&] { return export_model(*options); }); };
}

}  // namespace bitplane::train
