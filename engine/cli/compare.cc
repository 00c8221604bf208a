// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "bitplane/model_spec.h"
#include "engine/cli/accuracy.h"
#include "engine/cli/commands.h"
#include "engine/cli/options.h"
#include "engine/cli/shared/errors.h"
#include "engine/cli/shared/number_text.h"
#include "engine/cli/shared/table.h"
#include "engine/cli/timing.h"

namespace bitplane::cli {
namespace {

struct CompareOptions {
  std::vector<std::string> paths;
  ModelOptions model;  ///< isa and threads, for all of them
  DataOptions data;
  Format format = Format::Text;
};

/// What is known of one model.
struct Row {
  std::string path, isa;
  Accuracy accuracy;
  std::size_t bytes = 0;
  double median_us = 0.0;
  std::vector<std::string> kernels;  ///< of the convolutions and linear layers, each once, in their order
};

std::vector<std::string> kernels_of(const engine::Session& session) {
  std::vector<std::string> names;
  for (const engine::StepInfo& step : session.steps()) {
    if (step.macs == 0 || std::find(names.begin(), names.end(), step.kernel) != names.end()) continue;
    names.push_back(step.kernel);
  }
  return names;
}

Row measure(const std::string& path, const CompareOptions& options) {
  const auto model = load_model(path);
  const auto set = load_test_set(options.data, model);
  auto session = take(engine::Session::create(model, session_options(options.model)));
  const Timings timings = measure_latency(session, make_pictures(model.input(), 1), {});
  return {.path = path,
          .isa = std::string(session.isa()),
          .accuracy = measure_accuracy(model, set, options.model),
          .bytes = model.file_bytes(),
          .median_us = quantile(timings.run_ns, 0.5) / 1e3,
          .kernels = kernels_of(session)};
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

ExitCode compare(const CompareOptions& options) {
  std::vector<Row> rows;
  for (const std::string& path : options.paths) rows.push_back(measure(path, options));
  if (options.format == Format::JsonDocument) {
    Json document = Json::array();
    for (const Row& row : rows) {
      document.push_back({{"model", row.path},
                          {"accuracy", row.accuracy.fraction()},
                          {"pictures", row.accuracy.pictures},
                          {"file_bytes", row.bytes},
                          {"median_us_per_picture", row.median_us},
                          {"threads", options.model.threads},
                          {"isa", row.isa},
                          {"kernels", row.kernels}});
    }
    print_json(document);
    return ExitCode::Ok;
  }
  Table table({{"model"},
               {"accuracy", Align::Right},
               {"bytes", Align::Right},
               {"us/picture", Align::Right},
               {"isa"},
               {"kernels"}});
  for (const Row& row : rows) {
    table.add({row.path, percent(row.accuracy.fraction()), std::to_string(row.bytes), fixed(row.median_us, 1),
               row.isa, joined(row.kernels)});
  }
  table.print(std::cout);
  return ExitCode::Ok;
}

}  // namespace

Action declare_compare(CLI::App& app) {
  auto options = std::make_shared<CompareOptions>();
  app.add_option("MODEL", options->paths, "model files, one row each")->required();
  add_data(app, options->data);
  add_other_data(app, options->data);
  add_threads(app, options->model);
  add_kernel_choice(app, options->model);
  add_json(app, options->format);
  return [options] { return compare(*options); };
}

}  // namespace bitplane::cli
