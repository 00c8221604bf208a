// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <memory>

#include "engine/cli/batches.h"
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
  const auto model = take(engine::Model::load(options.model.path));
  const auto set = load_test_set(options.data, model);
  const std::size_t batch = batch_for(set.count, options.model.threads);
  auto session = take(engine::Session::create(
      model, {.batch = batch, .threads = options.model.threads, .isa = options.model.isa}));
  std::size_t correct = 0;
  const double seconds = run_in_batches(session, batch, set, [&](const Batch& done) {
    for (std::size_t i = 0; i < done.count; ++i) {
      const auto logits = session.output().subspan(i * model.output_size(), model.output_size());
      correct += argmax(logits) == set.labels[done.first + i] ? 1 : 0;
    }
  });
  const double accuracy = static_cast<double>(correct) / static_cast<double>(set.count);
  const double speed = static_cast<double>(set.count) / seconds;
  if (options.format == Format::JsonDocument) {
    print_json({{"data", options.data.name},
                {"pictures", set.count},
                {"correct", correct},
                {"accuracy", accuracy},
                {"pictures_per_second", speed},
                {"threads", options.model.threads},
                {"isa", session.isa()}});
  } else {
    std::cout << "accuracy    " << percent(accuracy) << " (" << correct << " of " << set.count
              << " test pictures of " << options.data.name << ")\nspeed       " << fixed(speed, 0)
              << " pictures/s (" << session.isa() << ", " << options.model.threads
              << (options.model.threads == 1 ? " thread" : " threads") << ")\n";
  }
  return ExitCode::Ok;
}

}  // namespace

Action declare_eval(CLI::App& app) {
  auto options = std::make_shared<EvalOptions>();
  add_model(app, options->model);
  add_data(app, options->data);
  add_threads(app, options->model);
  add_isa(app, options->model);
  add_json(app, options->format);
  return [options] { return eval(*options); };
}

}  // namespace bitplane::cli
