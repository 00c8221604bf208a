// SPDX-License-Identifier: Apache-2.0
//
// Optimizers. Kept state is visible by name, so that a checkpoint can hold it.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/nn/module.h"

namespace bitplane::train {

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  /// One update of every parameter that has a gradient, with this learning rate times the parameter's factor.
  virtual void step(Backend& backend, double learning_rate) = 0;
  /// State tensors, named "<parameter>.<what>", e.g. "conv1.weight.velocity".
  virtual void visit_state(const std::function<void(const std::string& name, Tensor& tensor)>& visit) = 0;
};

struct OptimizerOptions {
  double momentum = 0.9;
  double weight_decay = 0.0;  ///< on ParameterRole::Weight only
};

struct OptimizerInfo {
  std::string_view name;
  std::string_view description;
  std::unique_ptr<Optimizer> (*make)(std::vector<NamedParameter>, const OptimizerOptions&);
};

/// The one list of optimizers.
[[nodiscard]] std::span<const OptimizerInfo> optimizers() noexcept;
[[nodiscard]] const OptimizerInfo* find_optimizer(std::string_view name) noexcept;

/// d = g + decay * w;  u <- momentum * u + d;  w <- w - lr * u
std::unique_ptr<Optimizer> make_sgd(std::vector<NamedParameter> parameters, const OptimizerOptions& options);
/// The same with a step along momentum * u + d, u being the new velocity.
std::unique_ptr<Optimizer> make_nesterov(std::vector<NamedParameter> parameters,
                                         const OptimizerOptions& options);

}  // namespace bitplane::train
