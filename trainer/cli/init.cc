// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>

#include "bitplane/model_spec.h"
#include "engine/cli/shared/errors.h"
#include "engine/cli/shared/json_output.h"
#include "engine/cli/shared/number_flags.h"
#include "engine/cli/shared/number_text.h"
#include "engine/cli/shared/output_files.h"
#include "trainer/cli/common.h"
#include "trainer/cli/subcommands.h"
#include "trainer/config/config.h"
#include "trainer/export/untrained.h"

namespace bitplane::train {
namespace {

/// A net of pictures that are larger takes more memory than most machines have.
constexpr std::uint64_t kMostPixelsOfASide = 4096;
constexpr std::uint64_t kMostClasses = 65536;

struct InitOptions {
  UntrainedModel model;
  std::string out;
  bool json = false;
};

cli::ExitCode init(const InitOptions& options) {
  cli::check_targets({.targets = {{"--out", options.out}}});
  const engine::ModelSpec spec = make_untrained(options.model);
  cli::check(engine::write_model(options.out, spec));
  const auto bytes = static_cast<std::size_t>(std::filesystem::file_size(options.out));
  if (options.json) {
    cli::print_json({{"model", options.out},
                     {"model_bytes", bytes},
                     {"name", spec.name},
                     {"provenance", spec.provenance}});
  } else {
    std::cout << "model          " << options.out << " (" << cli::short_bytes(bytes) << ", " << spec.name
              << ")\n";
  }
  return cli::ExitCode::Ok;
}

}  // namespace

cli::Action declare_init(CLI::App& app) {
  auto options = std::make_shared<InitOptions>();
  UntrainedModel& model = options->model;
  app.add_option("--net", model.net, "net (trainer list nets)")->required();
  app.add_option("--codes", model.codes, "uniform (DoReFa's quantizers) or learned (LQ-Nets')")
      ->capture_default_str();
  cli::add_number(app, cli::WholeFlag{"--wbits", "weight bits: 1 to 8, or 32 = float"}, model.wbits);
  cli::add_number(app, cli::WholeFlag{"--abits", "activation bits: 1 to 8, or 32 = float"}, model.abits);
  app.add_option("--first-last", model.first_last, "first and last layer: float or 8")->capture_default_str();
  cli::add_number(app, cli::RealFlag{"--width", "times the net's hidden channels", kWidths}, model.width);
  cli::add_number(app, cli::WholeFlag{"--seed", "of weights and pictures"}, model.seed);
  cli::add_number(app,
                  cli::WholeFlag{"--size",
                                 "height and width of the pictures (RGB); 0: as published, at least 32",
                                 {0, kMostPixelsOfASide}},
                  model.size);
  cli::add_number(app, cli::WholeFlag{"--classes", "0: what the net was published for", {0, kMostClasses}},
                  model.classes);
  app.add_option("--out", options->out, "the model file to write")->required();
  app.add_flag("--json", options->json, "result as JSON");
  return [options] { return guarded([&] { return init(*options); }); };
}

}  // namespace bitplane::train
