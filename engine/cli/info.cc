// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <map>
#include <memory>

#include "bitplane/model_spec.h"
#include "engine/cli/commands.h"
#include "engine/cli/options.h"
#include "engine/cli/shared/errors.h"
#include "engine/cli/shared/number_text.h"
#include "engine/cli/shared/table.h"
#include "engine/cli/steps.h"

namespace bitplane::cli {
namespace {

struct InfoOptions {
  ModelOptions model;
  Format format = Format::Text;
};

struct Size {
  std::size_t parameters = 0, bytes = 0;
};

/// Of the steps with parameters, by the bits of their weights.
std::map<std::size_t, Size> sizes_by_bits(const engine::Session& session) {
  std::map<std::size_t, Size> sizes;
  for (const engine::StepInfo& step : session.steps()) {
    if (step.parameters == 0) continue;
    sizes[step.weight_bits].parameters += step.parameters;
    sizes[step.weight_bits].bytes += step.parameter_bytes;
  }
  return sizes;
}

void print_as_json(const engine::Model& model, const engine::Session& session) {
  Json steps = Json::array(), by_bits = Json::array();
  for (const engine::StepInfo& step : session.steps()) steps.push_back(step_json(step));
  for (const auto& [bits, size] : sizes_by_bits(session)) {
    by_bits.push_back({{"weight_bits", bits}, {"parameters", size.parameters}, {"bytes", size.bytes}});
  }
  const engine::InputShape input = model.input();
  print_json({{"name", model.spec().name},
              {"file_bytes", model.file_bytes()},
              {"input", {input.height, input.width, input.channels}},
              {"labels", model.spec().labels},
              {"provenance", model.spec().provenance},
              {"isa", session.isa()},
              {"session_bytes", session.memory_bytes()},
              {"weights", by_bits},
              {"steps", steps}});
}

void print_as_text(const engine::Model& model, const engine::Session& session) {
  std::cout << "model       " << model.spec().name << ", " << short_bytes(model.file_bytes())
            << "\ninput       " << shape_text(model.input()) << "\noutput      " << model.output_size()
            << " classes";
  for (const std::string& label : model.labels())
    std::cout << (&label == model.labels().data() ? ": " : ", ") << label;
  std::cout << "\nruns on     " << session.isa() << ", " << short_bytes(session.memory_bytes())
            << " of working memory\n";
  for (const auto& [key, value] : model.spec().provenance)
    std::cout << "trained     " << key << " = " << value << '\n';
  for (const auto& [bits, size] : sizes_by_bits(session)) {
    std::cout << "weights     " << bits_text(bits) << ": "
              << short_count(static_cast<double>(size.parameters)) << " parameters in "
              << short_bytes(size.bytes) << '\n';
  }
  std::cout << '\n';
  step_table(session.steps()).print(std::cout);
}

ExitCode info(const InfoOptions& options) {
  const auto model = load_model(options.model.path);
  const auto session = take(engine::Session::create(model, session_options(options.model)));
  if (options.format == Format::JsonDocument) {
    print_as_json(model, session);
  } else {
    print_as_text(model, session);
  }
  return ExitCode::Ok;
}

}  // namespace

Action declare_info(CLI::App& app) {
  auto options = std::make_shared<InfoOptions>();
  add_model(app, options->model);
  add_kernel_choice(app, options->model);
  add_json(app, options->format);
  return [options] { return info(*options); };
}

}  // namespace bitplane::cli
