// SPDX-License-Identifier: Apache-2.0
#include "trainer/nets/sign_inputs.h"

#include <map>
#include <set>
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

class ReluSearch {
 public:
  explicit ReluSearch(const LayerGraph& graph) {
    for (const LayerNode& node : graph.nodes) nodes_.emplace(node.name, &node);
  }
  /// From what `node` reads up to the layers that make signed values.
  void look_in_front_of(const LayerNode& node) {
    for (const std::string& input : node.inputs) {
      const auto found = nodes_.find(input);
      if (found == nodes_.end() || !keeps_signs(found->second->layer)) continue;
      if (const auto* relu = std::get_if<const Relu*>(&found->second->layer)) relus_.insert(*relu);
      look_in_front_of(*found->second);
    }
  }
  [[nodiscard]] const std::set<const Module*>& relus() const noexcept { return relus_; }

 private:
  std::map<std::string, const LayerNode*> nodes_;
  std::set<const Module*> relus_;
};

}  // namespace

void remove_relus_before_signs(Module& net) {
  const LayerGraph graph = layer_graph(net);
  ReluSearch search(graph);
  for (const LayerNode& node : graph.nodes) {
    const auto* quantize = std::get_if<const Quantize*>(&node.layer);
    if (quantize != nullptr && (*quantize)->quantizer().reads_signs()) search.look_in_front_of(node);
  }
  net.remove_layers([&](const Module& layer) { return search.relus().contains(&layer); });
}

}  // namespace bitplane::train
