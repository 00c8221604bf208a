// SPDX-License-Identifier: Apache-2.0
//
// Containers whose input goes several ways: Residual adds the ways up again, Branches joins their channels.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "trainer/nn/sequential.h"

namespace bitplane::train {

/// The joins as nodes of a LayerGraph. All inputs of Add have one shape; those of Concat may differ in
/// channels.
class Add final {};
class Concat final {};

/// y = branch(x) + shortcut(x); the order of the sum matters to nobody, since there are two.
/// The layers of the branch go by the container's own name ("stage1.block1.conv1"), those of the shortcut by
/// "<name>.shortcut", the sum by "<name>.add".
class Residual final : public Module {
 public:
  /// shortcut: nullptr for the identity. Throws std::invalid_argument when a layer of the branch is called
  /// "shortcut" or "add".
  Residual(std::unique_ptr<Sequential> branch, std::unique_ptr<Module> shortcut);

  Variable forward(const Context& ctx, const Variable& x) override;
  Variable watch(const Context& ctx, const Variable& x, const std::string& name,
                 const LayerWatch& watcher) override;
  void visit_state(const std::string& prefix, const StateVisitor& visitor) override;
  std::string append_to(LayerGraph& graph, const std::string& name, const std::string& input) const override;
  void edit_layers(const LayerEdit& edit) override;

 private:
  std::unique_ptr<Sequential> branch_;
  std::unique_ptr<Module> shortcut_;
  Add add_;
};

/// y = the channels of every way, in order. A way is a named Sequential; an empty one hands x on as it is.
/// The layers of a way go by "<name>.<way>", the join by "<name>.concat".
class Branches final : public Module {
 public:
  /// Names are unique and not "concat"; throws std::invalid_argument otherwise.
  Sequential& emplace(std::string way);

  Variable forward(const Context& ctx, const Variable& x) override;
  Variable watch(const Context& ctx, const Variable& x, const std::string& name,
                 const LayerWatch& watcher) override;
  void visit_state(const std::string& prefix, const StateVisitor& visitor) override;
  std::string append_to(LayerGraph& graph, const std::string& name, const std::string& input) const override;
  void edit_layers(const LayerEdit& edit) override;

 private:
  struct Way {
    std::string name;
    std::unique_ptr<Sequential> layers;
  };
  std::vector<Way> ways_;
  Concat concat_;
};

}  // namespace bitplane::train
