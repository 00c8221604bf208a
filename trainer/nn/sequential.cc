// SPDX-License-Identifier: Apache-2.0
#include "trainer/nn/sequential.h"

#include <algorithm>
#include <stdexcept>

#include "trainer/nn/layers.h"

namespace bitplane::train {

Sequential& Sequential::add(std::string name, std::unique_ptr<Module> module) {
  if (std::any_of(children_.begin(), children_.end(), [&](const Child& c) { return c.name == name; })) {
    throw std::invalid_argument("two layers named '" + name + "' in one container");
  }
  children_.push_back({std::move(name), std::move(module)});
  return *this;
}

Variable Sequential::forward(const Context& ctx, const Variable& x) {
  const auto child = [&](std::size_t i) {
    return i < children_.size() ? children_[i].module.get() : nullptr;
  };
  Variable y = x;
  for (std::size_t i = 0; i < children_.size();) {
    auto* norm = ctx.fusion == Fusion::On ? dynamic_cast<BatchNorm*>(child(i)) : nullptr;
    if (norm == nullptr || dynamic_cast<Relu*>(child(i + 1)) == nullptr) {
      y = child(i++)->forward(ctx, y);
      continue;
    }
    if (auto* quantize = dynamic_cast<Quantize*>(child(i + 2))) {
      y = batch_norm_relu_quantize(ctx, y, norm->arguments(), quantize->quantizer());
      i += 3;
    } else {
      y = batch_norm_relu(ctx, y, norm->arguments());
      i += 2;
    }
  }
  return y;
}

Variable Sequential::watch(const Context& ctx, const Variable& x, const std::string& name,
                           const LayerWatch& watcher) {
  Variable y = x;
  for (const Child& c : children_) y = c.module->watch(ctx, y, layer_path(name, c.name), watcher);
  return y;
}

void Sequential::visit_state(const std::string& prefix, const StateVisitor& visitor) {
  for (const Child& c : children_) c.module->visit_state(prefix + c.name + ".", visitor);
}

std::string Sequential::append_to(LayerGraph& graph, const std::string& name,
                                  const std::string& input) const {
  std::string from = input;
  for (const Child& c : children_) from = c.module->append_to(graph, layer_path(name, c.name), from);
  return from;
}

void Sequential::edit_layers(const LayerEdit& edit) {
  for (Child& c : children_) edit(c.module);
  std::erase_if(children_, [](const Child& c) { return c.module == nullptr; });
  for (const Child& c : children_) c.module->edit_layers(edit);
}

}  // namespace bitplane::train
