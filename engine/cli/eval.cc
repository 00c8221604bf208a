// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <memory>

#include "engine/cli/accuracy.h"
#include "engine/cli/commands.h"
#include "engine/cli/options.h"
#include "engine/cli/shared/errors.h"
#include "engine/cli/shared/number_text.h"

namespace bitplane::cli {
namespace {

struct EvalOptions {
  ModelOptions model;
  DataOptions data;
  Format format = Format::Text;
};

ExitCode eval(const EvalOptions& options) {
  const auto model = load_model(options.model.path);
  const auto set = load_test_set(options.data, model);
  const Accuracy result = measure_accuracy(model, set, options.model);
  const double accuracy = result.fraction();
  if (options.format == Format::JsonDocument) {
    print_json({{"data", options.data.name},
                {"pictures", set.count},
                {"correct", result.correct},
                {"accuracy", accuracy},
                {"pictures_per_second", result.pictures_per_second},
                {"threads", options.model.threads},
                {"isa", result.isa}});
  } else {
    std::cout << "accuracy    " << percent(accuracy) << " (" << result.correct << " of " << set.count
              << " test pictures of " << options.data.name << ")\nspeed       "
              << fixed(result.pictures_per_second, 0) << " pictures/s (" << result.isa << ", "
              << options.model.threads << (options.model.threads == 1 ? " thread" : " threads") << ")\n";
  }
  return ExitCode::Ok;
}

}  // namespace

Action declare_eval(CLI::App& app) {
  auto options = std::make_shared<EvalOptions>();
  add_model(app, options->model);
  add_data(app, options->data);
  add_other_data(app, options->data);
  add_threads(app, options->model);
  add_kernel_choice(app, options->model);
  add_json(app, options->format);
  return [options] { return eval(*options); };
}

}  // namespace bitplane::cli
