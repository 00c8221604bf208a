// SPDX-License-Identifier: Apache-2.0
//
// Reads ONNX files for tests, written from onnx.proto and sharing no code with the writer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace bitplane::onnx::testing {

/// One field of a message: a number, or bytes.
struct Field {
  std::uint32_t id = 0;
  std::uint64_t number = 0;
  std::string_view bytes;
};

class Fields {
 public:
  explicit Fields(std::string_view message) {
    std::size_t at = 0;
    const auto need = [&](std::size_t n) {
      if (n > message.size() - at) throw std::runtime_error("a field reaches beyond its message");
    };
    const auto varint = [&] {
      std::uint64_t value = 0;
      for (unsigned shift = 0;; shift += 7) {
        need(1);
        const auto byte = static_cast<unsigned char>(message[at++]);
        value |= std::uint64_t{byte & 0x7FU} << shift;
        if (byte < 0x80) return value;
        if (shift == 63) throw std::runtime_error("a number of more than ten bytes");
      }
    };
    while (at < message.size()) {
      const std::uint64_t key = varint();
      Field field{.id = static_cast<std::uint32_t>(key >> 3), .number = 0, .bytes = {}};
      const auto take = [&](std::size_t n) {
        need(n);
        field.bytes = message.substr(at, n);
        at += n;
      };
      switch (key & 7U) {
        case 0:
          field.number = varint();
          break;
        case 2:
          take(varint());
          break;
        case 5:
          take(4);
          break;
        default:
          throw std::runtime_error("an unknown wire type");
      }
      fields_.push_back(field);
    }
  }

  [[nodiscard]] std::vector<Field> all(std::uint32_t id) const {
    std::vector<Field> found;
    for (const Field& field : fields_) {
      if (field.id == id) found.push_back(field);
    }
    return found;
  }
  /// Empty where there is none.
  [[nodiscard]] std::string_view bytes(std::uint32_t id) const {
    const auto found = all(id);
    return found.empty() ? std::string_view() : found.back().bytes;
  }
  [[nodiscard]] std::string text(std::uint32_t id) const { return std::string(bytes(id)); }
  [[nodiscard]] std::uint64_t number(std::uint32_t id) const {
    const auto found = all(id);
    return found.empty() ? 0 : found.back().number;
  }

 private:
  std::vector<Field> fields_;
};

struct ReadAttribute {
  float real = 0.0F;
  std::int64_t integer = 0;
  std::vector<std::int64_t> integers;
};

struct ReadNode {
  std::string name, type;
  std::vector<std::string> inputs, outputs;
  std::map<std::string, ReadAttribute> attributes;
};

struct ReadTensor {
  std::vector<std::size_t> dims;
  std::vector<float> floats;
  std::vector<std::int64_t> integers;
};

/// Dimensions as text: a number, or the name of a free one.
using ReadShape = std::vector<std::string>;

struct ReadModel {
  std::uint64_t ir_version = 0, opset = 0;
  std::string producer, producer_version, documentation, graph_name;
  std::map<std::string, std::string> metadata;
  std::vector<ReadNode> nodes;
  std::map<std::string, ReadTensor> initializers;
  std::map<std::string, ReadShape> inputs, outputs, values;
};

inline ReadNode read_node(const Fields& fields) {
  ReadNode node{
      .name = fields.text(3), .type = fields.text(4), .inputs = {}, .outputs = {}, .attributes = {}};
  for (const Field& input : fields.all(1)) node.inputs.emplace_back(input.bytes);
  for (const Field& output : fields.all(2)) node.outputs.emplace_back(output.bytes);
  for (const Field& field : fields.all(5)) {
    const Fields attribute(field.bytes);
    ReadAttribute value;
    switch (attribute.number(20)) {
      case 1: {
        const auto real = attribute.all(2);
        std::memcpy(&value.real, real.at(0).bytes.data(), sizeof value.real);
        break;
      }
      case 2:
        value.integer = static_cast<std::int64_t>(attribute.number(3));
        break;
      case 7:
        for (const Field& number : attribute.all(8))
          value.integers.push_back(static_cast<std::int64_t>(number.number));
        break;
      default:
        throw std::runtime_error(node.name + ": an attribute of unknown type");
    }
    node.attributes[attribute.text(1)] = value;
  }
  return node;
}

template <class T>
std::vector<T> raw_values(std::string_view raw, std::size_t count) {
  if (raw.size() != count * sizeof(T)) throw std::runtime_error("a tensor's bytes do not fit its shape");
  std::vector<T> values(count);
  if (count > 0) std::memcpy(values.data(), raw.data(), raw.size());
  return values;
}

inline ReadTensor read_tensor(const Fields& fields) {
  ReadTensor tensor;
  std::size_t count = 1;
  for (const Field& size : fields.all(1)) {
    tensor.dims.push_back(size.number);
    count *= size.number;
  }
  const std::string raw = fields.text(9);
  if (fields.number(2) == 1) {
    tensor.floats = raw_values<float>(raw, count);
  } else if (fields.number(2) == 7) {
    tensor.integers = raw_values<std::int64_t>(raw, count);
  } else {
    throw std::runtime_error("a tensor of unknown type");
  }
  return tensor;
}

inline void read_value(const Fields& fields, std::map<std::string, ReadShape>& values) {
  const Fields tensor(Fields(fields.bytes(2)).bytes(1));
  if (tensor.number(1) != 1) throw std::runtime_error(fields.text(1) + " is no float tensor");
  ReadShape shape;
  for (const Field& dim : Fields(tensor.bytes(2)).all(1)) {
    const Fields size(dim.bytes);
    shape.push_back(size.all(2).empty() ? std::to_string(size.number(1)) : size.text(2));
  }
  if (!values.emplace(fields.text(1), shape).second) throw std::runtime_error("a value is described twice");
}

inline ReadModel read_onnx(std::span<const std::byte> file) {
  const Fields fields({reinterpret_cast<const char*>(file.data()), file.size()});
  ReadModel model;
  model.ir_version = fields.number(1);
  model.producer = fields.text(2);
  model.producer_version = fields.text(3);
  model.documentation = fields.text(6);
  const Fields opset(fields.all(8).at(0).bytes);
  if (!opset.text(1).empty()) throw std::runtime_error("operations of another domain");
  model.opset = opset.number(2);
  for (const Field& entry : fields.all(14)) {
    const Fields pair(entry.bytes);
    model.metadata[pair.text(1)] = pair.text(2);
  }
  const Fields graph(fields.all(7).at(0).bytes);
  model.graph_name = graph.text(2);
  for (const Field& node : graph.all(1)) model.nodes.push_back(read_node(Fields(node.bytes)));
  for (const Field& field : graph.all(5)) {
    const Fields tensor(field.bytes);
    if (!model.initializers.emplace(tensor.text(8), read_tensor(tensor)).second)
      throw std::runtime_error("an initializer stands twice");
  }
  for (const Field& value : graph.all(11)) read_value(Fields(value.bytes), model.inputs);
  for (const Field& value : graph.all(12)) read_value(Fields(value.bytes), model.outputs);
  for (const Field& value : graph.all(13)) read_value(Fields(value.bytes), model.values);
  return model;
}

}  // namespace bitplane::onnx::testing
