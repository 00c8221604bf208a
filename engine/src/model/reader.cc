// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "bitplane/model_spec.h"
#include "io/no_throw.h"
#include "io/read_file.h"
#include "io/text.h"
#include "model/describe_model.h"
#include "model/digest.h"
#include "model/json_value.h"
#include "model/limits.h"
#include "model/node_reader.h"
#include "model/op_list.h"
#include "model/parse_model.h"

namespace bitplane::engine {
namespace {

using Metadata = std::map<std::string, std::string>;

Status invalid(std::string message) {
  return {StatusCode::InvalidFile, std::move(message)};
}

/// Before everything else: a newer format may differ in all the rest.
Result<int> read_version(const Metadata& metadata) {
  const auto found = metadata.find(std::string(kVersionKey));
  if (found == metadata.end()) {
    return invalid("no '" + std::string(kVersionKey) +
                   "' in its metadata: a safetensors file, but no Bitplane model");
  }
  const std::string& text = found->second;
  int version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  const bool number =
      error == std::errc() && end == text.data() + text.size() && std::to_string(version) == text;
  if (!number || version < 1)
    return invalid("format version " + in_quotes(text) + " is not a version number");
  if (version > kFormatVersion) {
    return Status(StatusCode::Unsupported, "format version " + text + "; this build reads 1 to " +
                                               std::to_string(kFormatVersion) + ": update bitplane");
  }
  return version;
}

/// Keys of our own that this reader does not know would mean something that it would lose.
Status check_keys(const Metadata& metadata) {
  constexpr std::array<std::string_view, 5> kKnown{kVersionKey, kDigestKey, kGraphKey, kLabelsKey,
                                                   kProvenanceKey};
  for (const std::string_view key : kKnown) {
    if (metadata.count(std::string(key)) == 0) return invalid("metadata " + in_quotes(key) + " is missing");
  }
  for (const auto& [key, value] : metadata) {
    if (key.rfind("bitplane.", 0) == 0 && std::find(kKnown.begin(), kKnown.end(), key) == kKnown.end()) {
      return invalid("unknown metadata key " + in_quotes(key));
    }
  }
  return {};
}

template <class Alternative>
Result<Alternative> parse_as(std::string_view key, const Metadata& metadata) {
  Result<JsonValue> json = parse_json(key, metadata.at(std::string(key)));
  if (!json.ok()) return json.status();
  auto* value = std::get_if<Alternative>(&json->value);
  if (value == nullptr) return invalid(std::string(key) + ": not the kind of JSON that the format asks for");
  return std::move(*value);
}

Status read_labels(const Metadata& metadata, ModelSpec& spec) {
  Result<JsonArray> labels = parse_as<JsonArray>(kLabelsKey, metadata);
  if (!labels.ok()) return labels.status();
  for (JsonValue& label : labels.value()) {
    auto* text = std::get_if<std::string>(&label.value);
    if (text == nullptr) return invalid(std::string(kLabelsKey) + ": a label is not a string");
    spec.labels.push_back(std::move(*text));
  }
  return {};
}

Status read_provenance(const Metadata& metadata, ModelSpec& spec) {
  Result<JsonObject> provenance = parse_as<JsonObject>(kProvenanceKey, metadata);
  if (!provenance.ok()) return provenance.status();
  for (JsonMember& member : provenance.value()) {
    auto* text = std::get_if<std::string>(&member.value.value);
    if (text == nullptr) return invalid(std::string(kProvenanceKey) + ": a value is not a string");
    spec.provenance.emplace(std::move(member.key), std::move(*text));
  }
  return {};
}

void read_node(ModelSource& source, const JsonObject& json, std::size_t index, ModelSpec& spec) {
  Node node;
  std::string op_name;
  const std::string number = "node " + std::to_string(index);
  NodeReader reader(source, json, {}, number);
  reader.text("name", node.name);
  reader.text("op", op_name);
  const OpInfo* op = find_op(op_name);
  if (op == nullptr)
    return source.fail(number + ' ' + in_quotes(node.name) + ": unknown operation " + in_quotes(op_name));
  node.op = op->make();
  reader.rename(node.name, "node " + in_quotes(node.name) + " (" + op_name + ")");
  reader.texts("inputs", node.inputs);
  op->read(reader, node.op);
  reader.finish();
  spec.nodes.push_back(std::move(node));
}

Status read_graph(const Metadata& metadata, ModelSource& source, ModelSpec& spec) {
  Result<JsonObject> json = parse_as<JsonObject>(kGraphKey, metadata);
  if (!json.ok()) return json.status();
  NodeReader graph(source, json.value(), {}, std::string(kGraphKey));
  graph.text("name", spec.name);
  graph.text("output", spec.output);
  const JsonObject* input = graph.object("input");
  const JsonArray* nodes = graph.array("nodes");
  graph.finish();
  if (!source.status().ok()) return source.status();

  NodeReader input_reader(source, *input, std::string(kInputName), "input");
  describe(input_reader, spec.input);
  input_reader.finish();
  const JsonObject no_attributes;
  NodeReader golden_reader(source, no_attributes, std::string(kGoldenName), "golden pair");
  describe(golden_reader, spec.golden, spec.input);
  for (std::size_t i = 0; i < nodes->size() && source.status().ok(); ++i) {
    const auto* object = std::get_if<JsonObject>(&(*nodes)[i].value);
    if (object == nullptr) return invalid("node " + std::to_string(i) + " is not an object");
    read_node(source, *object, i, spec);
  }
  return source.finish();
}

/// A file that says version 1 is what readers of version 1 can read.
Status check_operations(const ModelSpec& spec, int version) {
  for (const Node& node : spec.nodes) {
    const int needed = format_version_of(node);
    if (needed > version) {
      return invalid("node " + in_quotes(node.name) + ": " + std::string(op_info(node.op).name) +
                     (reads_bytes(node) ? " on the picture's bytes" : "") +
                     (has_codebook(node) ? " with a codebook" : "") + " needs format version " +
                     std::to_string(needed) + ", the file says " + std::to_string(version));
    }
  }
  return {};
}

Result<ModelSpec> parse(std::span<const std::byte> bytes, std::shared_ptr<ViewedMemory> memory) {
  const Result<Container> container = parse_safetensors(bytes);
  if (!container.ok()) return container.status();
  const Metadata& metadata = container.value().metadata;
  const Result<int> version = read_version(metadata);
  if (!version.ok()) return version.status();
  if (Status status = check_keys(metadata); !status.ok()) return status;
  if (Status status = check_digest(bytes, metadata.at(std::string(kDigestKey))); !status.ok()) return status;
  ModelSpec spec;
  ModelSource source(container.value(), std::move(memory));
  if (Status status = read_graph(metadata, source, spec); !status.ok()) return status;
  if (Status status = check_operations(spec, version.value()); !status.ok()) return status;
  if (Status status = read_labels(metadata, spec); !status.ok()) return status;
  if (Status status = read_provenance(metadata, spec); !status.ok()) return status;
  return spec;
}

/// What validate() says of a graph, as an error of the file that holds it.
Status of_file(const Status& status) {
  const bool argument = status.code() == StatusCode::InvalidArgument;
  return {argument ? StatusCode::InvalidFile : status.code(), status.message()};
}

}  // namespace

Result<ParsedModel> parse_model_in(std::span<const std::byte> bytes, std::shared_ptr<ViewedMemory> memory) {
  Result<ModelSpec> spec = parse(bytes, std::move(memory));
  if (!spec.ok()) return spec.status();
  Result<std::vector<NodeShape>> shapes = validate(spec.value());
  if (!shapes.ok()) return of_file(shapes.status());
  return ParsedModel{std::move(spec).value(), std::move(shapes).value()};
}

Result<ModelSpec> parse_model(std::span<const std::byte> bytes) {
  return no_throw([&]() -> Result<ModelSpec> {
    Result<ParsedModel> parsed = parse_model_in(bytes, nullptr);
    if (!parsed.ok()) return parsed.status();
    return std::move(parsed->spec);
  });
}

Result<ModelSpec> read_model(const std::string& path) {
  return no_throw([&]() -> Result<ModelSpec> {
    const Result<std::vector<std::byte>> bytes = read_file(path, kMaxFileBytes);
    if (!bytes.ok()) return bytes.status();
    Result<ModelSpec> spec = parse_model(bytes.value());
    if (spec.ok()) return spec;
    return Status(spec.status().code(), in_quotes(path) + ": " + spec.status().message());
  });
}

}  // namespace bitplane::engine
