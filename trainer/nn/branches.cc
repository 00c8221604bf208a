// SPDX-License-Identifier: Apache-2.0
#include "trainer/nn/branches.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "trainer/ops/concat.h"
#include "trainer/ops/elementwise.h"

namespace bitplane::train {

Residual::Residual(std::unique_ptr<Sequential> branch, std::unique_ptr<Module> shortcut)
    : branch_(std::move(branch)), shortcut_(std::move(shortcut)) {
  for (const Sequential::Child& child : branch_->children()) {
    if (child.name == "shortcut" || child.name == "add") {
      throw std::invalid_argument("a layer of a residual branch cannot be called '" + child.name +
                                  "': the container has one of that name");
    }
  }
}

Variable Residual::forward(const Context& ctx, const Variable& x) {
  const Variable y = branch_->forward(ctx, x);
  return add(ctx, y, shortcut_ == nullptr ? x : shortcut_->forward(ctx, x));
}

Variable Residual::watch(const Context& ctx, const Variable& x, const std::string& name,
                         const LayerWatch& watcher) {
  const Variable y = branch_->watch(ctx, x, name, watcher);
  const Variable carried =
      shortcut_ == nullptr ? x : shortcut_->watch(ctx, x, layer_path(name, "shortcut"), watcher);
  Variable sum = add(ctx, y, carried);
  watcher(layer_path(name, "add"), sum);
  return sum;
}

void Residual::visit_state(const std::string& prefix, const StateVisitor& visitor) {
  branch_->visit_state(prefix, visitor);
  if (shortcut_ != nullptr) shortcut_->visit_state(prefix + "shortcut.", visitor);
}

std::string Residual::append_to(LayerGraph& graph, const std::string& name, const std::string& input) const {
  const std::string y = branch_->append_to(graph, name, input);
  const std::string carried =
      shortcut_ == nullptr ? input : shortcut_->append_to(graph, layer_path(name, "shortcut"), input);
  graph.nodes.push_back({layer_path(name, "add"), {y, carried}, &add_});
  return graph.nodes.back().name;
}

void Residual::edit_layers(const LayerEdit& edit) {
  branch_->edit_layers(edit);
  if (shortcut_ != nullptr) shortcut_->edit_layers(edit);
}

Sequential& Branches::emplace(std::string way) {
  if (way == "concat" ||
      std::any_of(ways_.begin(), ways_.end(), [&](const Way& w) { return w.name == way; })) {
    throw std::invalid_argument("a second '" + way + "' among the branches of one container");
  }
  ways_.push_back({std::move(way), std::make_unique<Sequential>()});
  return *ways_.back().layers;
}

Variable Branches::forward(const Context& ctx, const Variable& x) {
  std::vector<Variable> parts;
  for (const Way& way : ways_) parts.push_back(way.layers->forward(ctx, x));
  return concat(ctx, parts);
}

Variable Branches::watch(const Context& ctx, const Variable& x, const std::string& name,
                         const LayerWatch& watcher) {
  std::vector<Variable> parts;
  for (const Way& way : ways_)
    parts.push_back(way.layers->watch(ctx, x, layer_path(name, way.name), watcher));
  Variable whole = concat(ctx, parts);
  watcher(layer_path(name, "concat"), whole);
  return whole;
}

void Branches::visit_state(const std::string& prefix, const StateVisitor& visitor) {
  for (const Way& way : ways_) way.layers->visit_state(prefix + way.name + ".", visitor);
}

std::string Branches::append_to(LayerGraph& graph, const std::string& name, const std::string& input) const {
  LayerNode join{layer_path(name, "concat"), {}, &concat_};
  for (const Way& way : ways_)
    join.inputs.push_back(way.layers->append_to(graph, layer_path(name, way.name), input));
  graph.nodes.push_back(std::move(join));
  return graph.nodes.back().name;
}

void Branches::edit_layers(const LayerEdit& edit) {
  for (const Way& way : ways_) way.layers->edit_layers(edit);
}

}  // namespace bitplane::train
