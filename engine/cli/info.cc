// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <map>
#include <memory>
#include <variant>

#include "bitplane/model_spec.h"
#include "engine/cli/commands.h"
#include "engine/cli/options.h"
#include "engine/cli/shared/errors.h"
#include "engine/cli/shared/number_text.h"
#include "engine/cli/shared/table.h"
#include "engine/cli/steps.h"
#include "lowering/program_text.h"

namespace bitplane::cli {
namespace {

struct InfoOptions {
  ModelOptions model;
  Format format = Format::Text;
  bool passes = false;
};

struct Size {
  std::size_t parameters = 0, bytes = 0;
};
using Sizes = std::map<std::size_t, Size>;

void add_floats(std::size_t count, Sizes& sizes) {
  if (count == 0) return;
  sizes[32].parameters += count;
  sizes[32].bytes += count * sizeof(float);
}

void add_planes(const engine::Planes& planes, Sizes& sizes) {
  Size& size = sizes[planes.planes];
  size.parameters += planes.rows * planes.k;
  size.bytes += planes.words.size() * sizeof(std::uint64_t);
}

void add_basis(const engine::Basis& basis, Sizes& sizes) {
  if (const auto* learned = std::get_if<engine::LearnedBasis>(&basis))
    return add_floats(learned->values.size(), sizes);
  add_floats(std::get<engine::UniformBasis>(basis).scale.size(), sizes);
}

void add_weights(const engine::Weights& weights, Sizes& sizes) {
  if (const auto* floats = std::get_if<engine::FloatWeights>(&weights))
    return add_floats(floats->values.size(), sizes);
  if (const auto* codebook = std::get_if<engine::CodebookWeights>(&weights)) {
    add_planes(codebook->indices, sizes);
    return add_floats(codebook->levels.size(), sizes);
  }
  const auto& planes = std::get<engine::PlaneWeights>(weights);
  add_planes(planes.planes, sizes);
  add_basis(planes.basis, sizes);
  add_floats(planes.offset.size(), sizes);
}

/// What the file holds of a node, by the bits of each parameter: planes; bases, batch norm and biases are
/// floats.
void add_node(const engine::Operation& op, Sizes& sizes) {
  std::visit(
      [&](const auto& node) {
        if constexpr (requires { node.weights; }) {
          add_weights(node.weights, sizes);
          add_floats(node.bias.size(), sizes);
        } else if constexpr (requires { node.gamma; }) {
          add_floats(node.mean.size() + node.var.size() + node.gamma.size() + node.beta.size(), sizes);
        } else if constexpr (requires { node.thresholds; }) {
          add_basis(node.basis, sizes);
          add_floats(node.thresholds.size(), sizes);
        }
      },
      op);
}

Sizes sizes_by_bits(const engine::ModelSpec& spec) {
  Sizes sizes;
  for (const engine::Node& node : spec.nodes) add_node(node.op, sizes);
  return sizes;
}

Json sizes_json(const Sizes& sizes) {
  Json list = Json::array();
  for (const auto& [bits, size] : sizes)
    list.push_back({{"bits", bits}, {"parameters", size.parameters}, {"bytes", size.bytes}});
  return list;
}

/// Per node with parameters: which step it ended in says its name.
Json nodes_json(const engine::ModelSpec& spec) {
  Json list = Json::array();
  for (const engine::Node& node : spec.nodes) {
    Sizes sizes;
    add_node(node.op, sizes);
    if (!sizes.empty()) list.push_back({{"name", node.name}, {"by_bits", sizes_json(sizes)}});
  }
  return list;
}

ExitCode print_passes(const engine::Model& model, Format format) {
  const auto passes = take(engine::lowering_text(model.spec()));
  Json list = Json::array();
  for (const engine::PassText& pass : passes) {
    list.push_back({{"pass", pass.pass}, {"steps", pass.steps}, {"program", pass.program}});
    if (format == Format::JsonDocument) continue;
    const bool changed = &pass == passes.data() || pass.program != (&pass - 1)->program;
    std::cout << "== " << pass.pass << ": " << pass.steps << " steps\n"
              << (changed ? pass.program : "(as before)\n") << '\n';
  }
  if (format == Format::JsonDocument) print_json(list);
  return ExitCode::Ok;
}

void print_as_json(const engine::Model& model, const engine::Session& session) {
  Json steps = Json::array();
  for (const engine::StepInfo& step : session.steps()) steps.push_back(step_json(step));
  const engine::InputShape input = model.input();
  print_json({{"name", model.spec().name},
              {"file_bytes", model.file_bytes()},
              {"input", {input.height, input.width, input.channels}},
              {"labels", model.spec().labels},
              {"provenance", model.spec().provenance},
              {"isa", session.isa()},
              {"session_bytes", session.memory_bytes()},
              {"weights", sizes_json(sizes_by_bits(model.spec()))},
              {"nodes", nodes_json(model.spec())},
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
  for (const auto& [bits, size] : sizes_by_bits(model.spec())) {
    std::cout << "weights     " << bits_text(bits) << ": "
              << short_count(static_cast<double>(size.parameters)) << " parameters in "
              << short_bytes(size.bytes) << '\n';
  }
  std::cout << '\n';
  step_table(session.steps()).print(std::cout);
}

ExitCode info(const InfoOptions& options) {
  const auto model = load_model(options.model.path);
  if (options.passes) return print_passes(model, options.format);
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
  CLI::Option* passes = app.add_flag("--passes", options->passes,
                                     "the program behind each pass of lowering, and the plan of the memory");
  for (const char* choice : {"--isa", "--family", "--autotune"}) passes->excludes(choice);
  add_json(app, options->format);
  return [options] { return info(*options); };
}

}  // namespace bitplane::cli
