// SPDX-License-Identifier: Apache-2.0
//
// What every exported graph must be, whatever the net.
#pragma once

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "bitplane/model_spec.h"
#include "onnx/onnx_reader.h"

namespace bitplane::onnx::testing {

/// Each name once, defined before it is read, and read by somebody or an output.
inline void expect_ordered(const ReadModel& model) {
  std::set<std::string> defined, read;
  for (const auto& [name, shape] : model.inputs) EXPECT_TRUE(defined.insert(name).second) << name;
  for (const auto& [name, tensor] : model.initializers) EXPECT_TRUE(defined.insert(name).second) << name;
  for (const ReadNode& node : model.nodes) {
    for (const std::string& input : node.inputs) {
      EXPECT_TRUE(defined.contains(input)) << node.name << " reads " << input;
      read.insert(input);
    }
    ASSERT_EQ(node.outputs.size(), 1U) << node.name;
    EXPECT_EQ(node.outputs[0], node.name);
    EXPECT_TRUE(defined.insert(node.outputs[0]).second) << node.outputs[0];
  }
  for (const auto& [name, shape] : model.outputs) {
    EXPECT_TRUE(defined.contains(name)) << name;
    read.insert(name);
  }
  for (const std::string& name : defined) EXPECT_TRUE(read.contains(name)) << name << " is never read";
}

/// Only operations of ONNX's own set, of versions that operator set 13 has.
inline void expect_standard(const ReadModel& model) {
  static const std::set<std::string> kStandard{"Add",
                                               "AveragePool",
                                               "BatchNormalization",
                                               "Cast",
                                               "Concat",
                                               "Conv",
                                               "Div",
                                               "Flatten",
                                               "Gather",
                                               "Gemm",
                                               "GlobalAveragePool",
                                               "Greater",
                                               "Identity",
                                               "LRN",
                                               "MaxPool",
                                               "Mul",
                                               "Pad",
                                               "Pow",
                                               "Relu",
                                               "Reshape",
                                               "Slice",
                                               "Softmax",
                                               "Transpose",
                                               "Where"};
  EXPECT_EQ(model.opset, 13U);
  EXPECT_EQ(model.ir_version, 7U);
  for (const ReadNode& node : model.nodes) EXPECT_TRUE(kStandard.contains(node.type)) << node.type;
}

/// Every node of the model is a value of its shape, [batch][channels][height][width] or [batch][channels];
/// the result has its channels last.
inline void expect_shapes(const ReadModel& model, const engine::ModelSpec& spec) {
  const auto shapes = engine::validate(spec);
  ASSERT_TRUE(shapes.ok());
  const auto& input = spec.input;
  EXPECT_EQ(model.inputs.at("input"), (ReadShape{"batch", std::to_string(input.channels),
                                                 std::to_string(input.height), std::to_string(input.width)}));
  for (std::size_t n = 0; n < spec.nodes.size(); ++n) {
    const std::string& name = spec.nodes[n].name;
    const auto& known = model.values.contains(name) ? model.values : model.outputs;
    ASSERT_TRUE(known.contains(name)) << name;
    const engine::NodeShape& shape = shapes.value()[n];
    const std::string channels = std::to_string(shape.channels);
    const ReadShape vector{"batch", channels},
        map{"batch", channels, std::to_string(shape.height), std::to_string(shape.width)},
        last{"batch", std::to_string(shape.height), std::to_string(shape.width), channels};
    if (name == spec.output) {
      EXPECT_EQ(model.outputs.at(name), shape.height * shape.width == 1 ? vector : last) << name;
      continue;
    }
    EXPECT_TRUE(known.at(name) == map || (shape.height * shape.width == 1 && known.at(name) == vector))
        << name;
  }
}

inline void expect_sound(const ReadModel& model, const engine::ModelSpec& spec) {
  expect_ordered(model);
  expect_standard(model);
  expect_shapes(model, spec);
  EXPECT_EQ(model.producer, "bitplane");
  EXPECT_EQ(model.graph_name, spec.name.empty() ? "bitplane" : spec.name) << "graphs have names";
}

}  // namespace bitplane::onnx::testing
