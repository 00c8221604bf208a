// SPDX-License-Identifier: Apache-2.0
//
// One node of a model as nodes of ONNX. One overload per operation; a picture is NCHW, what has no height and
// width any more is [batch][channels] where the operation that made it says so.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "bitplane/model_spec.h"
#include "engine/onnx/graph.h"

namespace bitplane::onnx {

enum class Layout : std::uint8_t {
  Map,           ///< [batch][channels][height][width]
  Vector,        ///< [batch][channels], height = width = 1
  ChannelsLast,  ///< [batch][height][width][channels]: results only
};

struct Value {
  std::string name;
  Layout layout = Layout::Map;
  engine::NodeShape shape;
};
[[nodiscard]] Shape onnx_shape(const Value& value);

class Emitter {
 public:
  explicit Emitter(OnnxGraph& graph) : graph_(graph) {}

  /// The output's shape is that of validate().
  [[nodiscard]] Value emit(const engine::Node& node, const engine::NodeShape& shape,
                           const std::vector<Value>& inputs);
  /// Pictures minus the byte of each channel that means 0: what plane weights on the picture multiply.
  [[nodiscard]] Value centred(const engine::InputSpec& input, const std::string& pictures);
  /// Bytes 0 to 255, as floats, as the first node sees them (docs/BITPLANES.md, 1).
  [[nodiscard]] Value preprocess(const engine::InputSpec& input, const std::string& pictures);
  /// The model's own order of values: [batch][channels], or [batch][height][width][channels].
  [[nodiscard]] Value in_model_order(const Value& value);

 private:
  /// What all overloads know of their node.
  struct Place {
    const std::string& name;
    const engine::NodeShape& shape;
    const std::vector<Value>& inputs;
  };

  Layout emit(const engine::Conv2d& op, const Place& at);
  Layout emit(const engine::Linear& op, const Place& at);
  Layout emit(const engine::BatchNorm& op, const Place& at);
  Layout emit(const engine::Relu& op, const Place& at);
  Layout emit(const engine::Quantize& op, const Place& at);
  Layout emit(const engine::MaxPool& op, const Place& at);
  Layout emit(const engine::GlobalAveragePool& op, const Place& at);
  Layout emit(const engine::Flatten& op, const Place& at);
  Layout emit(const engine::Add& op, const Place& at);
  Layout emit(const engine::Concat& op, const Place& at);
  Layout emit(const engine::AveragePool& op, const Place& at);
  Layout emit(const engine::ZeroChannelShortcut& op, const Place& at);
  Layout emit(const engine::LocalResponseNorm& op, const Place& at);
  Layout emit(const engine::Softmax& op, const Place& at);
  Layout emit(const engine::Identity& op, const Place& at);
  Layout emit(const engine::Dequantize& op, const Place& at);

  /// In that layout, by a node where it has the other one.
  std::string map(const Value& value);
  std::string vector(const Value& value);
  /// All inputs in one layout: as they are when they agree, else maps.
  Layout agree(const Place& at, std::vector<std::string>& names);
  /// One input, one output of the same layout.
  Layout same(const char* type, const Place& at, std::vector<Attribute> attributes = {});
  std::string scalar(const std::string& wish, float value);
  std::string pad(const std::string& wish, const std::string& input, std::span<const std::int64_t> pads);
  void compare_one_by_one(const engine::Quantize& op, const Place& at);
  void compare_by_halves(const engine::Quantize& op, const Place& at);
  void norm_within_channel(const engine::LocalResponseNorm& op, const Place& at);

  OnnxGraph& graph_;
};

}  // namespace bitplane::onnx
