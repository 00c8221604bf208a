// SPDX-License-Identifier: Apache-2.0
#include "trainer/nn/module.h"

#include <cmath>

#include "trainer/math/random.h"
#include "trainer/quantizers/quantizer.h"

namespace bitplane::train {

std::string layer_path(const std::string& name, const std::string& child) {
  return name.empty() ? child : name + "." + child;
}

Variable Module::watch(const Context& ctx, const Variable& x, const std::string& name,
                       const LayerWatch& watcher) {
  Variable y = forward(ctx, x);
  watcher(name, y);
  return y;
}

void Module::visit_state(const std::string&, const StateVisitor&) {}

void Module::edit_layers(const LayerEdit&) {}

std::vector<NamedParameter> named_parameters(Module& module) {
  std::vector<NamedParameter> all;
  module.visit_state("", {.parameter =
                              [&](const std::string& name, Parameter& p) {
                                all.push_back({name, &p});
                              },
                          .buffer = [](const std::string&, Tensor&) {}});
  return all;
}

std::vector<NamedBuffer> named_buffers(Module& module) {
  std::vector<NamedBuffer> all;
  module.visit_state("", {.parameter = [](const std::string&, Parameter&) {},
                          .buffer =
                              [&](const std::string& name, Tensor& b) {
                                all.push_back({name, &b});
                              }});
  return all;
}

std::vector<QuantizedLayer> quantized_layers(Module& module) {
  std::vector<QuantizedLayer> all;
  module.visit_state("", {.parameter = [](const std::string&, Parameter&) {},
                          .buffer = [](const std::string&, Tensor&) {},
                          .quantized =
                              [&](const std::string& layer, Tensor& weights, WeightQuantizer& quantizer) {
                                all.push_back({layer, &weights, &quantizer});
                              }});
  return all;
}

void constrain_quantizers(Module& module) {
  module.visit_state("", {.parameter = [](const std::string&, Parameter&) {},
                          .buffer = [](const std::string&, Tensor&) {},
                          .quantized = [](const std::string&, Tensor& weights,
                                          WeightQuantizer& quantizer) { quantizer.constrain(weights); },
                          .activations = [](ActivationQuantizer& quantizer) { quantizer.constrain(); }});
}

LayerGraph layer_graph(const Module& module) {
  LayerGraph graph;
  graph.output = module.append_to(graph, "", LayerGraph::kInput);
  return graph;
}

void initialize_parameters(Module& module, std::uint64_t seed) {
  for (const NamedParameter& named : named_parameters(module)) {
    Tensor& value = named.parameter->variable.mutable_value();
    const Initialization& init = named.parameter->init;
    if (init.rule == InitRule::AsMade) continue;
    if (init.rule == InitRule::Constant) {
      value.fill(init.value);
      continue;
    }
    const double sigma = init.rule == InitRule::HeFanIn ? std::sqrt(2.0 / static_cast<double>(init.fan_in))
                                                        : static_cast<double>(init.value);
    Random random(seed, stream_of(named.name));
    for (float& w : value.mutable_values()) w = static_cast<float>(sigma * random.normal());
  }
}

void clear_gradients(Module& module) {
  for (const NamedParameter& named : named_parameters(module)) named.parameter->variable.clear_grad();
}

}  // namespace bitplane::train
