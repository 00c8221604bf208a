// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "trainer/nn/module.h"

namespace bitplane::train {

/// Runs its children one after another. Where the context allows it, BatchNorm, Relu (, Quantize) in a row
/// run as one fused operation, which gives the same bits.
class Sequential final : public Module {
 public:
  /// Names are unique within the container; throws std::invalid_argument otherwise.
  Sequential& add(std::string name, std::unique_ptr<Module> module);
  template <class M, class... Args>
  M& emplace(const std::string& name, Args&&... args) {
    auto module = std::make_unique<M>(std::forward<Args>(args)...);
    M& reference = *module;
    add(name, std::move(module));
    return reference;
  }

  Variable forward(const Context& ctx, const Variable& x) override;
  Variable watch(const Context& ctx, const Variable& x, const std::string& name,
                 const LayerWatch& watcher) override;
  void visit_state(const std::string& prefix, const StateVisitor& visitor) override;
  std::string append_to(LayerGraph& graph, const std::string& name, const std::string& input) const override;
  void edit_layers(const LayerEdit& edit) override;

  struct Child {
    std::string name;
    std::unique_ptr<Module> module;
  };
  [[nodiscard]] const std::vector<Child>& children() const noexcept { return children_; }

 private:
  std::vector<Child> children_;
};

}  // namespace bitplane::train
