// SPDX-License-Identifier: Apache-2.0
//
// A net as a graph of leaf layers: what export and the evaluation read. Containers flatten themselves into
// it. A container that passes its input on alone adds no node.
#pragma once

#include <string>
#include <variant>
#include <vector>

namespace bitplane::train {

class Conv2d;
class Linear;
class BatchNorm;
class Relu;
class MaxPool;
class AveragePool;
class GlobalAveragePool;
class Flatten;
class Quantize;
class ZeroChannelShortcut;
class Dropout;
class LocalResponseNorm;
class Add;
class Concat;

using LayerRef = std::variant<const Conv2d*, const Linear*, const BatchNorm*, const Relu*, const MaxPool*,
                              const AveragePool*, const GlobalAveragePool*, const Flatten*, const Quantize*,
                              const ZeroChannelShortcut*, const Dropout*, const LocalResponseNorm*,
                              const Add*, const Concat*>;

/// A node's output goes by its name; the net's input is "input". Topological order. Add has two inputs,
/// Concat one or more, every other layer one.
struct LayerNode {
  std::string name;
  std::vector<std::string> inputs;
  LayerRef layer;
};

struct LayerGraph {
  static constexpr const char* kInput = "input";
  std::vector<LayerNode> nodes;
  std::string output = kInput;
};

}  // namespace bitplane::train
