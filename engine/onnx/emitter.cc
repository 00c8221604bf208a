// SPDX-License-Identifier: Apache-2.0
#include "engine/onnx/emitter.h"

#include <array>
#include <variant>

#include "engine/onnx/levels.h"

namespace bitplane::onnx {
namespace {

using engine::NodeShape;

/// [rows][height][width][channels] -> [rows][channels][height][width]
struct FilterShape {
  std::size_t rows, height, width, channels;
};
std::vector<float> channels_first(const std::vector<float>& values, const FilterShape& shape) {
  const std::size_t pixels = shape.height * shape.width;
  std::vector<float> turned(values.size());
  for (std::size_t row = 0; row < shape.rows; ++row) {
    for (std::size_t p = 0; p < pixels; ++p) {
      for (std::size_t c = 0; c < shape.channels; ++c)
        turned[(row * shape.channels + c) * pixels + p] = values[(row * pixels + p) * shape.channels + c];
    }
  }
  return turned;
}

}  // namespace

Shape onnx_shape(const Value& value) {
  if (value.layout == Layout::Vector) return {{value.shape.channels}};
  if (value.layout == Layout::Map) return {{value.shape.channels, value.shape.height, value.shape.width}};
  return {{value.shape.height, value.shape.width, value.shape.channels}};
}

Value Emitter::emit(const engine::Node& node, const NodeShape& shape, const std::vector<Value>& inputs) {
  const Place at{node.name, shape, inputs};
  const Layout layout = std::visit([&](const auto& op) { return emit(op, at); }, node.op);
  return {node.name, layout, shape};
}

Value Emitter::centred(const engine::InputSpec& input, const std::string& pictures) {
  std::vector<float> zero;
  for (const float mean : input.mean)
    zero.push_back(-static_cast<float>(engine::zero_byte(mean).value_or(0)));
  const std::array<std::size_t, 4> dims{1, input.channels, 1, 1};
  return {graph_.add({"Add",
                      {pictures, graph_.constant(pictures + "/minus_zero", dims, zero)},
                      graph_.name(pictures + "/centred")}),
          Layout::Map,
          {input.height, input.width, input.channels}};
}

Value Emitter::preprocess(const engine::InputSpec& input, const std::string& pictures) {
  std::vector<float> scale, shift;
  for (std::size_t c = 0; c < input.channels; ++c) {
    scale.push_back(static_cast<float>(1.0 / (255.0 * static_cast<double>(input.std[c]))));
    shift.push_back(
        static_cast<float>(-static_cast<double>(input.mean[c]) / static_cast<double>(input.std[c])));
  }
  const std::array<std::size_t, 4> dims{1, input.channels, 1, 1};
  const std::string scaled = graph_.add({"Mul",
                                         {pictures, graph_.constant(pictures + "/scale", dims, scale)},
                                         graph_.name(pictures + "/scaled")});
  return {graph_.add({"Add",
                      {scaled, graph_.constant(pictures + "/shift", dims, shift)},
                      graph_.name(pictures + "/preprocessed")}),
          Layout::Map,
          {input.height, input.width, input.channels}};
}

Value Emitter::in_model_order(const Value& value) {
  if (value.layout == Layout::Vector) return value;
  if (value.shape.height * value.shape.width == 1) return {vector(value), Layout::Vector, value.shape};
  return {graph_.add({"Transpose",
                      {value.name},
                      graph_.name(value.name + "/channels_last"),
                      {{"perm", std::vector<std::int64_t>{0, 2, 3, 1}}}}),
          Layout::ChannelsLast, value.shape};
}

std::string Emitter::map(const Value& value) {
  if (value.layout == Layout::Map) return value.name;
  const std::array<std::int64_t, 4> target{0, integer(value.shape.channels), 1, 1};
  const std::array<std::size_t, 1> dims{target.size()};
  return graph_.add({"Reshape",
                     {value.name, graph_.constant(value.name + "/map_shape", dims, target)},
                     graph_.name(value.name + "/map")});
}

std::string Emitter::vector(const Value& value) {
  if (value.layout == Layout::Vector) return value.name;
  return graph_.add(
      {"Flatten", {value.name}, graph_.name(value.name + "/vector"), {{"axis", std::int64_t{1}}}});
}

Layout Emitter::agree(const Place& at, std::vector<std::string>& names) {
  bool vectors = true;
  for (const Value& input : at.inputs) vectors = vectors && input.layout == Layout::Vector;
  for (const Value& input : at.inputs) names.push_back(vectors ? input.name : map(input));
  return vectors ? Layout::Vector : Layout::Map;
}

Layout Emitter::same(const char* type, const Place& at, std::vector<Attribute> attributes) {
  graph_.add({type, {at.inputs[0].name}, at.name, std::move(attributes)});
  return at.inputs[0].layout;
}

Layout Emitter::emit(const engine::Conv2d& op, const Place& at) {
  const std::size_t channels = at.inputs[0].shape.channels / op.groups;
  const std::array<std::size_t, 4> dims{op.out_channels, channels, op.kernel_h, op.kernel_w};
  std::vector<std::string> inputs{
      map(at.inputs[0]), graph_.constant(at.name + "/weight", dims,
                                         channels_first(dequantize(op.weights), {op.out_channels, op.kernel_h,
                                                                                 op.kernel_w, channels}))};
  const std::array<std::size_t, 1> out{op.out_channels};
  if (!op.bias.empty()) inputs.push_back(graph_.constant(at.name + "/bias", out, op.bias));
  const std::int64_t pad_h = integer(op.pad_h), pad_w = integer(op.pad_w);
  graph_.add({"Conv",
              std::move(inputs),
              at.name,
              {{"dilations", std::vector{integer(op.dilation_h), integer(op.dilation_w)}},
               {"group", integer(op.groups)},
               {"kernel_shape", std::vector{integer(op.kernel_h), integer(op.kernel_w)}},
               {"pads", std::vector{pad_h, pad_w, pad_h, pad_w}},
               {"strides", std::vector{integer(op.stride_h), integer(op.stride_w)}}}});
  return Layout::Map;
}

Layout Emitter::emit(const engine::Linear& op, const Place& at) {
  const std::array<std::size_t, 2> dims{op.out_features, at.inputs[0].shape.channels};
  std::vector<std::string> inputs{vector(at.inputs[0]),
                                  graph_.constant(at.name + "/weight", dims, dequantize(op.weights))};
  const std::array<std::size_t, 1> out{op.out_features};
  if (!op.bias.empty()) inputs.push_back(graph_.constant(at.name + "/bias", out, op.bias));
  graph_.add({"Gemm", std::move(inputs), at.name, {{"transB", std::int64_t{1}}}});
  return Layout::Vector;
}

Layout Emitter::emit(const engine::BatchNorm& op, const Place& at) {
  const std::array<std::size_t, 1> dims{op.mean.size()};
  const auto constant = [&](const char* name, const std::vector<float>& values, float absent) {
    return graph_.constant(at.name + name, dims,
                           values.empty() ? std::vector<float>(op.mean.size(), absent) : values);
  };
  graph_.add({"BatchNormalization",
              {at.inputs[0].name, constant("/gamma", op.gamma, 1.0F), constant("/beta", op.beta, 0.0F),
               constant("/mean", op.mean, 0.0F), constant("/var", op.var, 1.0F)},
              at.name,
              {{"epsilon", op.epsilon}}});
  return at.inputs[0].layout;
}

Layout Emitter::emit(const engine::Relu& /*op*/, const Place& at) {
  return same("Relu", at);
}

Layout Emitter::emit(const engine::Identity& /*op*/, const Place& at) {
  return same("Identity", at);
}

/// The graph's quantizers give values already.
Layout Emitter::emit(const engine::Dequantize& /*op*/, const Place& at) {
  return same("Identity", at);
}

Layout Emitter::emit(const engine::Softmax& /*op*/, const Place& at) {
  return same("Softmax", at, {{"axis", std::int64_t{1}}});
}

Layout Emitter::emit(const engine::Flatten& /*op*/, const Place& at) {
  const Value& input = at.inputs[0];
  const bool one_pixel = input.shape.height * input.shape.width == 1;
  const std::string ordered =
      input.layout == Layout::Vector || one_pixel ? input.name : in_model_order(input).name;
  graph_.add({"Flatten", {ordered}, at.name, {{"axis", std::int64_t{1}}}});
  return Layout::Vector;
}

Layout Emitter::emit(const engine::Add& /*op*/, const Place& at) {
  std::vector<std::string> names;
  const Layout layout = agree(at, names);
  graph_.add({"Add", std::move(names), at.name});
  return layout;
}

Layout Emitter::emit(const engine::Concat& /*op*/, const Place& at) {
  std::vector<std::string> names;
  const Layout layout = agree(at, names);
  graph_.add({"Concat", std::move(names), at.name, {{"axis", std::int64_t{1}}}});
  return layout;
}

}  // namespace bitplane::onnx
