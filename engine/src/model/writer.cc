// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "bitplane/model_spec.h"
#include "io/no_throw.h"
#include "model/describe_model.h"
#include "model/digest.h"
#include "model/json_value.h"
#include "model/node_writer.h"
#include "model/op_list.h"

namespace bitplane::engine {
namespace {

JsonObject node_json(const Node& node, std::vector<TensorEntry>& tensors) {
  NodeWriter writer(tensors, node.name);
  writer.text("name", node.name);
  writer.text("op", std::string(op_info(node.op).name));
  writer.texts("inputs", node.inputs);
  op_info(node.op).write(writer, node.op);
  return writer.take();
}

JsonValue graph_json(const ModelSpec& spec, std::vector<TensorEntry>& tensors) {
  NodeWriter input(tensors, std::string(kInputName));
  describe(input, spec.input);
  NodeWriter golden(tensors, std::string(kGoldenName));
  describe(golden, spec.golden, spec.input);
  JsonArray nodes;
  for (const Node& node : spec.nodes) nodes.push_back({node_json(node, tensors)});
  // One by one: from braces they would be copied, and libstdc++ 12 frees a variant of vectors twice where
  // such a copy finds no memory.
  JsonObject graph;
  graph.push_back({"name", {spec.name}});
  graph.push_back({"input", {input.take()}});
  graph.push_back({"nodes", {std::move(nodes)}});
  graph.push_back({"output", {spec.output}});
  return {std::move(graph)};
}

JsonValue labels_json(const std::vector<std::string>& labels) {
  JsonArray array;
  for (const std::string& label : labels) array.push_back({label});
  return {std::move(array)};
}

JsonValue provenance_json(const std::map<std::string, std::string>& provenance) {
  JsonObject object;
  for (const auto& [key, value] : provenance) object.push_back({key, {value}});
  return {std::move(object)};
}

Result<std::vector<std::byte>> serialize(const ModelSpec& spec) {
  if (const auto shapes = validate(spec); !shapes.ok()) return shapes.status();
  Container container;
  container.metadata[std::string(kVersionKey)] = std::to_string(format_version_of(spec));
  container.metadata[std::string(kDigestKey)] = blank_digest();
  const std::array<std::pair<std::string_view, JsonValue>, 3> texts{
      {{kGraphKey, graph_json(spec, container.tensors)},
       {kLabelsKey, labels_json(spec.labels)},
       {kProvenanceKey, provenance_json(spec.provenance)}}};
  for (const auto& [key, json] : texts) {
    Result<std::string> text = dump_json(json);
    if (!text.ok()) return text.status();
    if (text.value().size() > kMaxJsonBytes) {
      return Status(StatusCode::InvalidArgument, std::string(key) + " takes " +
                                                     std::to_string(text.value().size()) +
                                                     " bytes; allowed are " + std::to_string(kMaxJsonBytes));
    }
    container.metadata[std::string(key)] = std::move(text).value();
  }
  Result<std::vector<std::byte>> bytes = serialize_safetensors(container);
  if (!bytes.ok()) return bytes;
  if (Status status = seal_digest(bytes.value()); !status.ok()) return status;
  return bytes;
}

}  // namespace

Result<std::vector<std::byte>> serialize_model(const ModelSpec& spec) {
  return no_throw([&] { return serialize(spec); });
}

Status write_model(const std::string& path, const ModelSpec& spec) {
  return no_throw([&] {
    const Result<std::vector<std::byte>> bytes = serialize(spec);
    return bytes.ok() ? write_file_atomically(path, bytes.value()) : bytes.status();
  });
}

}  // namespace bitplane::engine
