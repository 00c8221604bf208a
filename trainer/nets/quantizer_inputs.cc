// SPDX-License-Identifier: Apache-2.0
#include "trainer/nets/quantizer_inputs.h"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <variant>

#include "trainer/nn/layers.h"

namespace bitplane::train {
namespace {

template <class... Layers>
bool is_one_of(const LayerRef& layer) {
  return (std::holds_alternative<const Layers*>(layer) || ...);
}

/// What is signed in front of it is signed behind it. Sums are left alone: one part of each is signed.
bool keeps_signs(const LayerRef& layer) {
  return is_one_of<Relu, MaxPool, AveragePool, LocalResponseNorm, Dropout, Flatten, ZeroChannelShortcut,
                   Concat>(layer);
}

bool keeps_scale(const LayerRef& layer) {
  return is_one_of<Relu, MaxPool, Dropout>(layer);
}

/// The layers of one kind in front of some quantizers.
template <class Wanted>
class Search {
 public:
  using Quantizers = std::function<bool(const ActivationQuantizer&)>;
  /// Goes back through layers for which `passes` holds.
  Search(const LayerGraph& graph, bool (*passes)(const LayerRef&), const Quantizers& starts)
      : passes_(passes) {
    for (const LayerNode& node : graph.nodes) nodes_.emplace(node.name, &node);
    for (const LayerNode& node : graph.nodes) {
      const auto* quantize = std::get_if<const Quantize*>(&node.layer);
      if (quantize != nullptr && starts((*quantize)->quantizer())) look_in_front_of(node);
    }
  }
  [[nodiscard]] bool found(const Module& layer) const { return found_.contains(&layer); }

 private:
  void look_in_front_of(const LayerNode& node) {
    for (const std::string& input : node.inputs) {
      const auto at = nodes_.find(input);
      if (at == nodes_.end()) continue;
      if (const auto* wanted = std::get_if<const Wanted*>(&at->second->layer)) found_.insert(*wanted);
      if (passes_(at->second->layer)) look_in_front_of(*at->second);
    }
  }

  bool (*passes_)(const LayerRef&);
  std::map<std::string, const LayerNode*> nodes_;
  std::set<const Module*> found_;
};

}  // namespace

void remove_relus_before_signs(Module& net) {
  const Search<Relu> relus(layer_graph(net), keeps_signs, &ActivationQuantizer::reads_signs);
  net.edit_layers([&](std::unique_ptr<Module>& layer) {
    if (relus.found(*layer)) layer.reset();
  });
}

void remove_affine_before_fixed_levels(Module& net) {
  const Search<BatchNorm> norms(layer_graph(net), keeps_scale, &ActivationQuantizer::wants_unit_input);
  net.edit_layers([&](std::unique_ptr<Module>& layer) {
    if (!norms.found(*layer)) return;
    BatchNormModuleOptions options = dynamic_cast<const BatchNorm&>(*layer).options();
    options.affine = Affine::None;
    layer = std::make_unique<BatchNorm>(options);
  });
}

void require_norm_before_fixed_levels(Module& net) {
  std::set<std::string> normalized;
  for (const LayerNode& node : layer_graph(net).nodes) {
    const bool behind_norm =
        std::ranges::any_of(node.inputs, [&](const std::string& name) { return normalized.contains(name); });
    const auto* quantize = std::get_if<const Quantize*>(&node.layer);
    if (quantize != nullptr && !behind_norm && (*quantize)->quantizer().wants_unit_input()) {
      throw std::invalid_argument(
          "'" + std::string((*quantize)->quantizer().name()) +
          "' has fixed levels for activations of deviation 1, and no batch norm stands in front of '" +
          node.name +
          "': take a net with batch norms, or a method whose levels follow the activations, as lsq");
    }
    if (behind_norm || is_one_of<BatchNorm>(node.layer)) normalized.insert(node.name);
  }
}

}  // namespace bitplane::train
