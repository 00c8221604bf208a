// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "trainer/cli/common.h"
#include "trainer/cli/config_flags.h"
#include "trainer/cli/subcommands.h"
#include "trainer/config/config.h"
#include "trainer/config/effects.h"
#include "trainer/procedures/procedure.h"
#include "trainer/run/quantized_parts.h"

namespace bitplane::train {
namespace {

struct TrainOptions {
  std::shared_ptr<ConfigFlags> flags = std::make_shared<ConfigFlags>();
  std::string config_file;
  std::optional<std::string> imported_file = {};  ///< of `trainer import`
  bool json = false;
};

/// What the command line says.
PartialConfig given_settings(const TrainOptions& options) {
  PartialConfig given = take_flags(*options.flags);
  if (!options.imported_file) return given;
  if (options.imported_file->empty())
    throw std::invalid_argument("give the file whose weights to take: trainer import FILE");
  if (given.given.contains("init_from")) {
    throw std::invalid_argument("--init-from " + given.values.init_from + ": `trainer import` starts from '" +
                                *options.imported_file + "'; leave --init-from out, or use `trainer train`");
  }
  given.values.init_from = *options.imported_file;
  given.given.insert("init_from");
  return given;
}

/// `trainer list methods` shows them beside the method's.
void refuse_procedure_options(const PartialConfig& file, const PartialConfig& flags) {
  const std::string& method = (flags.given.contains("method") ? flags : file).values.method;
  for (const ProcedureInfo* procedure : procedures()) {
    if (procedure->method != method) continue;
    for (const OptionInfo& option : procedure->options) {
      if (!file.values.options.contains(option.name) && !flags.values.options.contains(option.name)) continue;
      throw std::invalid_argument("option '" + std::string(option.name) +
                                  "' is one of `trainer quantize --method " + method +
                                  "`, not of `trainer train`: leave it out, or start from a float run");
    }
  }
}

Config config_of(const TrainOptions& options) {
  const PartialConfig file =
      options.config_file.empty() ? PartialConfig{} : read_config_file(options.config_file);
  const PartialConfig flags = given_settings(options);
  refuse_procedure_options(file, flags);
  Config config = resolve_config(file, flags);
  refuse_without_effect(std::span(&config, 1), flags.given);
  require_random_start(config.method);
  if (config.out.empty()) throw std::invalid_argument("give the run a folder: --out runs/NAME");
  config.teacher = absolute_path(config.teacher);
  config.init_from = absolute_path(config.init_from);
  RunFolder::refuse_results(config.out);
  return config;
}

void note_import(const Training& training) {
  const ImportSummary& imported = training.imported();
  if (imported.taken == 0) return;
  const auto listed = [](const char* what, const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names)
      text += (text.empty() ? std::string("; ") + what + ": " : ", ") + name;
    return text;
  };
  cli::note(std::to_string(imported.taken) + " tensors from " + training.config().init_from +
            listed("kept as they were", imported.kept) + listed("not used", imported.unused));
}

void require_something_to_do(const StartPoint& point) {
  require_quantized_parts(point.config, point.net);
}

cli::ExitCode train(const TrainOptions& options) {
  const Config config = config_of(options);
  const TrainingData data = load_training_data(config);
  Training training = Training::start(config, data, require_something_to_do);
  note_import(training);
  return run_to_the_end(training, data, options.json ? cli::Format::JsonDocument : cli::Format::Text);
}

/// A run folder that holds the weights of the file, and no step yet.
cli::ExitCode import_weights(const TrainOptions& options) {
  const Config config = config_of(options);
  const Training training = Training::start(config, load_training_data(config), require_something_to_do);
  note_import(training);
  if (options.json) {
    cli::print_json({{"run", config.out},
                     {"taken", training.imported().taken},
                     {"kept", training.imported().kept},
                     {"unused", training.imported().unused}});
  } else {
    std::cout << "run            " << config.out << "\ntensors taken  " << training.imported().taken
              << "\nnext           trainer export " << config.out
              << " --out model.safetensors, or trainer resume " << config.out << '\n';
  }
  return cli::ExitCode::Ok;
}

void declare_options(CLI::App& app, const std::shared_ptr<TrainOptions>& options) {
  declare_config_flags(app, options->flags);
  app.add_option("--config", options->config_file, "JSON file with any of these settings; flags override it");
  app.add_flag("--json", options->json, "result as JSON");
}

}  // namespace

cli::Action declare_train(CLI::App& app) {
  auto options = std::make_shared<TrainOptions>();
  declare_options(app, options);
  return [options] { return guarded([&] { return train(*options); }); };
}

cli::Action declare_import(CLI::App& app) {
  auto options = std::make_shared<TrainOptions>();
  app.add_option("FILE", options->imported_file, "safetensors file with PyTorch's names and float32 weights")
      ->required();
  declare_options(app, options);
  return [options] { return guarded([&] { return import_weights(*options); }); };
}

}  // namespace bitplane::train
