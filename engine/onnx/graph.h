// SPDX-License-Identifier: Apache-2.0
//
// An ONNX graph under construction, and its bytes. It knows onnx.proto and no operation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "bitplane/status.h"
#include "engine/onnx/wire.h"

namespace bitplane::onnx {

/// ONNX 1.8 of 2020: the oldest set whose Softmax is over one axis. Everything used is in later ones as well.
inline constexpr std::int64_t kOpset = 13, kIrVersion = 7;
/// The format's own limit for one file.
inline constexpr std::size_t kMaxFileBytes = 0x7FFFFFFF;
/// A graph of so many bytes or more does not fit.
[[nodiscard]] engine::Status too_large(std::size_t bytes);

/// ONNX counts in signed integers.
constexpr std::int64_t integer(std::size_t count) {
  return static_cast<std::int64_t>(count);
}

using AttributeValue = std::variant<std::int64_t, float, std::vector<std::int64_t>>;
struct Attribute {
  std::string name;
  AttributeValue value;
};

/// A node with one output, as all of ours have.
struct OnnxNode {
  std::string type;
  std::vector<std::string> inputs;
  std::string output;  ///< also the node's name
  std::vector<Attribute> attributes = {};
};

/// Dimension 0 is the batch, which is free.
struct Shape {
  std::vector<std::size_t> behind_batch;
};

class OnnxGraph {
 public:
  /// These names are taken; name() gives others.
  explicit OnnxGraph(std::set<std::string> reserved) : names_(std::move(reserved)) {}

  /// `wish`, or with a number behind it where that is taken.
  [[nodiscard]] std::string name(const std::string& wish);
  /// Returns node.output.
  std::string add(OnnxNode node);
  /// Everywhere in the nodes so far.
  void rename(const std::string& value, const std::string& name);
  /// Returns its name. No dimensions: a scalar.
  std::string constant(const std::string& wish, std::span<const std::size_t> dims,
                       std::span<const float> values);
  std::string constant(const std::string& wish, std::span<const std::size_t> dims,
                       std::span<const std::int64_t> values);
  /// Float tensors.
  void input(const std::string& name, const Shape& shape);
  void output(const std::string& name, const Shape& shape);
  /// What a value of the graph is, for readers and for runtimes that check it.
  void describe(const std::string& name, const Shape& shape);
  void metadata(const std::string& key, const std::string& value) { metadata_[key] = value; }

  /// The file. An error when it is larger than a protocol buffer may be.
  [[nodiscard]] engine::Result<std::vector<std::byte>> serialize(const std::string& graph_name,
                                                                 const std::string& documentation,
                                                                 const std::string& version) const;

 private:
  /// Apart from what it holds, which is copied once, into the file.
  struct Initializer {
    std::string head;
    std::string data;
  };

  std::string add_constant(const std::string& wish, std::span<const std::size_t> dims, std::int64_t type,
                           std::span<const std::byte> data);
  [[nodiscard]] std::size_t initializer_bytes() const;

  std::set<std::string> names_;
  std::vector<OnnxNode> nodes_;
  std::vector<Initializer> initializers_;
  Message values_;  ///< fields of GraphProto behind the initializers
  std::map<std::string, std::string> metadata_;
};

}  // namespace bitplane::onnx
