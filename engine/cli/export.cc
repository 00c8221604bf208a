// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <memory>

#include "bitplane/model_spec.h"
#include "engine/cli/commands.h"
#include "engine/cli/options.h"
#include "engine/cli/shared/errors.h"
#include "engine/cli/shared/number_text.h"
#include "engine/cli/shared/output_files.h"
#include "engine/cli/shared/version.h"
#include "engine/onnx/export.h"
#include "engine/onnx/graph.h"

namespace bitplane::cli {
namespace {

struct ExportOptions {
  ModelOptions model;
  std::string out;
  onnx::Outputs outputs = onnx::Outputs::Result;
  Format format = Format::Text;
};

ExitCode export_model(const ExportOptions& options) {
  check_targets({.targets = {{"--out", options.out}}, .inputs = {options.model.path}});
  const auto model = load_model(options.model.path);
  const auto exported = take(onnx::export_onnx(
      model.spec(), {.producer_version = std::string(version()), .outputs = options.outputs}));
  check(engine::write_file_atomically(options.out, exported.file));
  const engine::InputShape input = model.input();
  if (options.format == Format::JsonDocument) {
    Json quantizers = Json::array();
    for (const onnx::QuantizerNames& names : exported.quantizers)
      quantizers.push_back({{"name", names.node}, {"input", names.input}});
    Json output = Json::array({"batch"});
    for (const std::size_t size : exported.output) output.push_back(size);
    print_json({{"path", options.out},
                {"bytes", exported.file.size()},
                {"opset", onnx::kOpset},
                {"input", {"batch", input.channels, input.height, input.width}},
                {"output", output},
                {"quantizers", quantizers}});
  } else {
    std::cout << "model       " << options.out << " (" << short_bytes(exported.file.size())
              << ", ONNX, operator set " << onnx::kOpset << ")\ninput       float32 [batch]["
              << input.channels << "][" << input.height << "][" << input.width
              << "], bytes 0 to 255; preprocessing is part of the graph\noutput      "
              << "float32, " << model.output_size() << " per picture\n";
  }
  return ExitCode::Ok;
}

}  // namespace

Action declare_export(CLI::App& app) {
  auto options = std::make_shared<ExportOptions>();
  add_model(app, options->model);
  app.add_flag_callback(
         "--onnx", [] {}, "as standard ONNX float operations, for any ONNX runtime")
      ->required();
  app.add_option("--out", options->out, "the file to write")->required();
  app.add_flag_callback(
      "--quantizers", [options] { options->outputs = onnx::Outputs::ResultAndQuantizers; },
      "the inputs and levels of all quantizers are outputs too");
  add_json(app, options->format);
  return [options] { return export_model(*options); };
}

}  // namespace bitplane::cli
