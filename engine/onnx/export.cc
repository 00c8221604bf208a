// SPDX-License-Identifier: Apache-2.0
#include "engine/onnx/export.h"

#include <map>
#include <set>
#include <variant>

#include "engine/onnx/emitter.h"

namespace bitplane::onnx {
namespace {

/// Of the picture in model files, where no node may have it.
constexpr const char* kInput = "input";
/// No node of a model can have the empty name.
constexpr const char* kCentred = "";
constexpr const char* kDocumentation =
    "Input: pictures as float32 NCHW, their bytes 0 to 255 unchanged; preprocessing is part of the graph. "
    "Low-bit layers are written as float32: weights by their levels, quantizers as comparisons with their "
    "thresholds.";

std::set<std::string> reserved_names(const engine::ModelSpec& spec) {
  std::set<std::string> names{kInput};
  for (const engine::Node& node : spec.nodes) names.insert(node.name);
  return names;
}

void add_metadata(OnnxGraph& graph, const engine::ModelSpec& spec) {
  std::string labels;
  for (std::size_t i = 0; i < spec.labels.size(); ++i) labels += (i == 0 ? "" : "\n") + spec.labels[i];
  if (!spec.labels.empty()) graph.metadata("labels", labels);
  for (const auto& [key, value] : spec.provenance) graph.metadata("provenance." + key, value);
}

using Values = std::map<std::string, Value>;

/// Null for a node without weights.
const engine::Weights* weights_of(const engine::Node& node) {
  const auto* conv = std::get_if<engine::Conv2d>(&node.op);
  const auto* linear = std::get_if<engine::Linear>(&node.op);
  return conv != nullptr ? &conv->weights : linear != nullptr ? &linear->weights : nullptr;
}

/// What the weights take in the graph: a model's bits become floats there, up to 32 times as much.
std::size_t weight_bytes(const engine::ModelSpec& spec) {
  std::size_t floats = 0;
  for (const engine::Node& node : spec.nodes) {
    const engine::Weights* weights = weights_of(node);
    if (weights == nullptr) continue;
    if (const auto* plain = std::get_if<engine::FloatWeights>(weights)) floats += plain->values.size();
    if (const auto* planes = std::get_if<engine::PlaneWeights>(weights))
      floats += planes->planes.rows * planes->planes.k;
    if (const auto* codebook = std::get_if<engine::CodebookWeights>(weights))
      floats += codebook->indices.rows * codebook->indices.k;
  }
  return floats * sizeof(float);
}

/// Do plane weights of the node multiply the picture's bytes?
bool reads_bytes(const engine::Node& node) {
  if (node.inputs.size() != 1 || node.inputs[0] != kInput) return false;
  const engine::Weights* weights = weights_of(node);
  return weights != nullptr && std::holds_alternative<engine::PlaneWeights>(*weights);
}

std::vector<QuantizerNames> quantizer_names(const engine::ModelSpec& spec, const Values& values) {
  std::vector<QuantizerNames> names;
  for (const engine::Node& node : spec.nodes) {
    if (std::holds_alternative<engine::Quantize>(node.op))
      names.push_back({node.name, values.at(node.inputs[0]).name});
  }
  return names;
}

/// Declares the graph's outputs, each once, and describes all other values of the model.
void declare_values(OnnxGraph& graph, const engine::ModelSpec& spec, const Values& values,
                    const std::vector<Value>& outputs) {
  std::set<std::string> declared;
  for (const Value& output : outputs) {
    if (declared.insert(output.name).second) graph.output(output.name, onnx_shape(output));
  }
  for (const engine::Node& node : spec.nodes) {
    const Value& value = values.at(node.name);
    if (!declared.contains(value.name)) graph.describe(value.name, onnx_shape(value));
  }
}

/// The output node in the model's order and by its name; where the order was another one, `values` says how
/// that is called now.
Value result(OnnxGraph& graph, Emitter& emitter, Value& value, const std::string& name) {
  Value ordered = emitter.in_model_order(value);
  if (ordered.name == value.name) return ordered;
  value.name = graph.name(name + "/channels_first");
  graph.rename(name, value.name);
  graph.rename(ordered.name, name);
  ordered.name = name;
  return ordered;
}

}  // namespace

engine::Result<Exported> export_onnx(const engine::ModelSpec& spec, const ExportOptions& options) {
  const engine::Result<std::vector<engine::NodeShape>> shapes = engine::validate(spec);
  if (!shapes.ok()) return shapes.status();
  if (const std::size_t bytes = weight_bytes(spec); bytes > kMaxFileBytes) return too_large(bytes);
  OnnxGraph graph(reserved_names(spec));
  Emitter emitter(graph);
  Values values;
  graph.input(kInput, {{spec.input.channels, spec.input.height, spec.input.width}});
  const auto picture_for = [&](const engine::Node& node) {
    const bool bytes = reads_bytes(node);
    Value& made = values[bytes ? kCentred : kInput];
    if (made.name.empty())
      made = bytes ? emitter.centred(spec.input, kInput) : emitter.preprocess(spec.input, kInput);
    return made;
  };
  for (std::size_t n = 0; n < spec.nodes.size(); ++n) {
    const engine::Node& node = spec.nodes[n];
    std::vector<Value> inputs;
    for (const std::string& input : node.inputs)
      inputs.push_back(input == kInput ? picture_for(node) : values.at(input));
    values[node.name] = emitter.emit(node, shapes.value()[n], inputs);
  }
  std::vector<Value> outputs{result(graph, emitter, values.at(spec.output), spec.output)};
  for (const engine::Node& node : spec.nodes) {
    if (options.outputs == Outputs::Result || !std::holds_alternative<engine::Quantize>(node.op)) continue;
    outputs.push_back(values.at(node.inputs[0]));
    outputs.push_back(values.at(node.name));
  }
  declare_values(graph, spec, values, outputs);
  add_metadata(graph, spec);
  engine::Result<std::vector<std::byte>> file =
      graph.serialize(spec.name.empty() ? "bitplane" : spec.name, kDocumentation, options.producer_version);
  if (!file.ok()) return file.status();
  return Exported{std::move(file).value(), onnx_shape(outputs[0]).behind_batch,
                  quantizer_names(spec, values)};
}

}  // namespace bitplane::onnx
