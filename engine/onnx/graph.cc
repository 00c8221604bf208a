// SPDX-License-Identifier: Apache-2.0
#include "engine/onnx/graph.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace bitplane::onnx {
namespace {

// Field numbers of onnx.proto (ONNX 1.8), by message.
namespace model_field {
constexpr std::uint32_t kIrVersion = 1, kProducer = 2, kProducerVersion = 3, kDocumentation = 6, kGraph = 7,
                        kOpsets = 8, kMetadata = 14;
}
namespace graph_field {
constexpr std::uint32_t kNode = 1, kName = 2, kInitializer = 5, kInput = 11, kOutput = 12, kValueInfo = 13;
}
namespace node_field {
constexpr std::uint32_t kInput = 1, kOutput = 2, kName = 3, kType = 4, kAttribute = 5;
}
namespace attribute_field {
constexpr std::uint32_t kName = 1, kReal = 2, kInteger = 3, kIntegers = 8, kType = 20;
}
namespace tensor_field {
constexpr std::uint32_t kDims = 1, kType = 2, kName = 8, kRaw = 9;
}

enum class TensorType : std::uint8_t { Float = 1, Int64 = 7 };
enum class AttributeType : std::uint8_t { Float = 1, Int = 2, Ints = 7 };

template <class Enum>
std::int64_t code(Enum value) {
  return static_cast<std::int64_t>(value);
}

Message describe_attribute(const Attribute& attribute) {
  Message message;
  message.text(attribute_field::kName, attribute.name);
  if (const auto* number = std::get_if<std::int64_t>(&attribute.value)) {
    message.number(attribute_field::kInteger, *number)
        .number(attribute_field::kType, code(AttributeType::Int));
  } else if (const auto* real = std::get_if<float>(&attribute.value)) {
    message.real(attribute_field::kReal, *real).number(attribute_field::kType, code(AttributeType::Float));
  } else {
    for (const std::int64_t value : std::get<std::vector<std::int64_t>>(attribute.value))
      message.number(attribute_field::kIntegers, value);
    message.number(attribute_field::kType, code(AttributeType::Ints));
  }
  return message;
}

Message describe_node(const OnnxNode& node) {
  Message message;
  for (const std::string& input : node.inputs) message.text(node_field::kInput, input);
  message.text(node_field::kOutput, node.output).text(node_field::kName, node.output);
  message.text(node_field::kType, node.type);
  for (const Attribute& attribute : node.attributes)
    message.nested(node_field::kAttribute, describe_attribute(attribute));
  return message;
}

/// ValueInfoProto {name = 1, type = 2 {tensor_type = 1 {elem_type = 1, shape = 2 {dim = 1}}}}
Message value_info(const std::string& name, const Shape& shape) {
  Message dims;
  dims.nested(1, Message().text(2, "batch"));
  for (const std::size_t size : shape.behind_batch)
    dims.nested(1, Message().number(1, static_cast<std::int64_t>(size)));
  Message tensor;
  tensor.number(1, code(TensorType::Float)).nested(2, dims);
  return Message().text(1, name).nested(2, Message().nested(1, tensor));
}

void append(std::vector<std::byte>& file, std::string_view text) {
  const std::size_t at = file.size();
  file.resize(at + text.size());
  if (!text.empty()) std::memcpy(file.data() + at, text.data(), text.size());
}

}  // namespace

std::string OnnxGraph::name(const std::string& wish) {
  std::string free = wish;
  for (std::size_t i = 2; !names_.insert(free).second; ++i) free = wish + "." + std::to_string(i);
  return free;
}

std::string OnnxGraph::add(OnnxNode node) {
  nodes_.push_back(std::move(node));
  return nodes_.back().output;
}

void OnnxGraph::rename(const std::string& value, const std::string& name) {
  for (OnnxNode& node : nodes_) {
    std::replace(node.inputs.begin(), node.inputs.end(), value, name);
    if (node.output == value) node.output = name;
  }
}

std::string OnnxGraph::add_constant(const std::string& wish, std::span<const std::size_t> dims,
                                    std::int64_t type, std::span<const std::byte> data) {
  std::string chosen = name(wish);
  Message message;
  for (const std::size_t size : dims) message.number(tensor_field::kDims, static_cast<std::int64_t>(size));
  message.number(tensor_field::kType, type).text(tensor_field::kName, chosen);
  Initializer initializer{message.bytes() + length_prefix(tensor_field::kRaw, data.size()),
                          std::string(data.size(), '\0')};
  if (!data.empty()) std::memcpy(initializer.data.data(), data.data(), data.size());
  initializers_.push_back(std::move(initializer));
  return chosen;
}

std::string OnnxGraph::constant(const std::string& wish, std::span<const std::size_t> dims,
                                std::span<const float> values) {
  return add_constant(wish, dims, code(TensorType::Float), std::as_bytes(values));
}

std::string OnnxGraph::constant(const std::string& wish, std::span<const std::size_t> dims,
                                std::span<const std::int64_t> values) {
  return add_constant(wish, dims, code(TensorType::Int64), std::as_bytes(values));
}

engine::Status too_large(std::size_t bytes) {
  return {engine::StatusCode::Unsupported, "as ONNX the model has at least " + std::to_string(bytes) +
                                               " bytes, one file of that format at most " +
                                               std::to_string(kMaxFileBytes)};
}

void OnnxGraph::input(const std::string& name, const Shape& shape) {
  values_.nested(graph_field::kInput, value_info(name, shape));
}
void OnnxGraph::output(const std::string& name, const Shape& shape) {
  values_.nested(graph_field::kOutput, value_info(name, shape));
}
void OnnxGraph::describe(const std::string& name, const Shape& shape) {
  values_.nested(graph_field::kValueInfo, value_info(name, shape));
}

std::size_t OnnxGraph::initializer_bytes() const {
  std::size_t bytes = 0;
  for (const Initializer& initializer : initializers_) {
    const std::size_t size = initializer.head.size() + initializer.data.size();
    bytes += length_prefix(graph_field::kInitializer, size).size() + size;
  }
  return bytes;
}

engine::Result<std::vector<std::byte>> OnnxGraph::serialize(const std::string& graph_name,
                                                            const std::string& documentation,
                                                            const std::string& version) const {
  Message model;
  model.number(model_field::kIrVersion, kIrVersion).text(model_field::kProducer, "bitplane");
  model.text(model_field::kProducerVersion, version).text(model_field::kDocumentation, documentation);
  model.nested(model_field::kOpsets, Message().text(1, "").number(2, kOpset));
  for (const auto& [key, value] : metadata_)
    model.nested(model_field::kMetadata, Message().text(1, key).text(2, value));
  Message nodes, named;
  for (const OnnxNode& node : nodes_) nodes.nested(graph_field::kNode, describe_node(node));
  named.text(graph_field::kName, graph_name);
  const std::size_t graph_bytes =
      nodes.bytes().size() + named.bytes().size() + initializer_bytes() + values_.bytes().size();
  const std::string prefix = length_prefix(model_field::kGraph, graph_bytes);
  const std::size_t file_bytes = model.bytes().size() + prefix.size() + graph_bytes;
  if (file_bytes > kMaxFileBytes) return too_large(file_bytes);
  std::vector<std::byte> file;
  file.reserve(file_bytes);
  append(file, model.bytes());
  append(file, prefix);
  append(file, nodes.bytes());
  append(file, named.bytes());
  for (const Initializer& initializer : initializers_) {
    append(file, length_prefix(graph_field::kInitializer, initializer.head.size() + initializer.data.size()));
    append(file, initializer.head);
    append(file, initializer.data);
  }
  append(file, values_.bytes());
  return file;
}

}  // namespace bitplane::onnx
