// SPDX-License-Identifier: Apache-2.0
//
// Optimizers. Kept state is visible by name, so that a checkpoint can hold it. All updates are element-wise
// kernels: the same bits on every instruction set and for any number of threads.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/nn/module.h"
#include "trainer/optim/parameter_rules.h"

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
  double momentum = 0.9;      ///< Adam's beta1
  double weight_decay = 0.0;  ///< times the parameter's factor: 1 for ParameterRole::Weight, else 0
  double beta2 = 0.999;       ///< Adam
  double epsilon = 1e-8;      ///< Adam
  std::vector<ParameterRule> rules = {};
};

struct OptimizerInfo {
  std::string_view name;
  std::string_view description;
  std::unique_ptr<Optimizer> (*make)(std::vector<NamedParameter>, const OptimizerOptions&);
};

/// The one list of optimizers. Making one throws std::invalid_argument for a rule that selects no parameter.
[[nodiscard]] std::span<const OptimizerInfo> optimizers() noexcept;
[[nodiscard]] const OptimizerInfo* find_optimizer(std::string_view name) noexcept;

/// d = g + decay * w;  u <- momentum * u + d;  w <- w - lr * u
std::unique_ptr<Optimizer> make_sgd(std::vector<NamedParameter> parameters, const OptimizerOptions& options);
/// The same with a step along momentum * u + d, u being the new velocity.
std::unique_ptr<Optimizer> make_nesterov(std::vector<NamedParameter> parameters,
                                         const OptimizerOptions& options);
/// Kingma & Ba (2015) with bias correction; the decay is part of the gradient.
std::unique_ptr<Optimizer> make_adam(std::vector<NamedParameter> parameters, const OptimizerOptions& options);
/// The same with a decay of its own: w <- w - lr * decay * w (Loshchilov & Hutter 2019).
std::unique_ptr<Optimizer> make_adamw(std::vector<NamedParameter> parameters,
                                      const OptimizerOptions& options);

}  // namespace bitplane::train
