// SPDX-License-Identifier: Apache-2.0
//
// A module: parameters, state and a forward pass. Training or evaluation is the Context's business, so a
// module has no mode of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "trainer/autograd/parameter.h"
#include "trainer/autograd/variable.h"
#include "trainer/nn/layer_graph.h"

namespace bitplane::train {

class Module;

/// Sees the output of a layer, and the layer's path ("stage1.block1.conv1").
using LayerWatch = std::function<void(const std::string& name, const Variable& output)>;
/// Replaces a layer, or takes it away (nullptr).
using LayerEdit = std::function<void(std::unique_ptr<Module>& layer)>;

/// "name.child", or "child" in a container without a name.
[[nodiscard]] std::string layer_path(const std::string& name, const std::string& child);

class Module {
 public:
  virtual ~Module() = default;
  virtual Variable forward(const Context& ctx, const Variable& x) = 0;
  /// The same forward pass, layer by layer without fused operations; `watcher` sees each layer's output in
  /// the order of the layer graph, under the name that it has there.
  virtual Variable watch(const Context& ctx, const Variable& x, const std::string& name,
                         const LayerWatch& watcher);
  /// Visits parameters and buffers, children included, in a fixed order. `prefix` is "" or ends with '.'.
  virtual void visit_state(const std::string& prefix, const StateVisitor& visitor);
  /// Appends the layers between the node `input` and this module's output, under `name`; returns the output's
  /// name.
  virtual std::string append_to(LayerGraph& graph, const std::string& name,
                                const std::string& input) const = 0;
  /// Of a container: hands each layer to `edit`. What is behind one that is taken away reads what was in
  /// front of it.
  virtual void edit_layers(const LayerEdit& edit);
};

struct NamedParameter {
  std::string name;
  Parameter* parameter = nullptr;
};
struct NamedBuffer {
  std::string name;
  Tensor* buffer = nullptr;
};
[[nodiscard]] std::vector<NamedParameter> named_parameters(Module& module);
[[nodiscard]] std::vector<NamedBuffer> named_buffers(Module& module);
/// A layer whose weights are quantized: [out][...].
struct QuantizedLayer {
  std::string name;
  Tensor* weights = nullptr;
  WeightQuantizer* quantizer = nullptr;
};
/// In the order of visit_state().
[[nodiscard]] std::vector<QuantizedLayer> quantized_layers(Module& module);
/// Brings weights, and what quantizers train, back where their methods want them: before the first step of a
/// run, and after each one of the optimizer.
void constrain_quantizers(Module& module);
[[nodiscard]] LayerGraph layer_graph(const Module& module);

/// Fills every parameter by its rule. Each draws from the random stream of its name, so a layer's start does
/// not depend on the layers around it.
void initialize_parameters(Module& module, std::uint64_t seed);
void clear_gradients(Module& module);

}  // namespace bitplane::train
