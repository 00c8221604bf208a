// SPDX-License-Identifier: Apache-2.0
#include "trainer/optim/optimizer.h"

#include <algorithm>
#include <array>

namespace bitplane::train {
namespace {

constexpr std::array kOptimizers{
    OptimizerInfo{"sgd", "stochastic gradient descent with momentum and weight decay", &make_sgd},
    OptimizerInfo{"nesterov", "the same with Nesterov's momentum", &make_nesterov},
    OptimizerInfo{"adam", "Adam; momentum is beta1, the decay is part of the gradient", &make_adam},
    OptimizerInfo{"adamw", "Adam with decoupled weight decay", &make_adamw},
};

}  // namespace

std::span<const OptimizerInfo> optimizers() noexcept {
  return kOptimizers;
}

const OptimizerInfo* find_optimizer(std::string_view name) noexcept {
  const auto it =
      std::find_if(kOptimizers.begin(), kOptimizers.end(), [&](const auto& o) { return o.name == name; });
  return it != kOptimizers.end() ? &*it : nullptr;
}

}  // namespace bitplane::train
