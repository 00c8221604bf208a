// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "trainer/autograd/variable.h"
#include "trainer/nn/module.h"

namespace bitplane::train::testing {

/// Gives the variable this gradient, as a backward pass would.
inline void give_gradient(Backend& backend, Variable& variable, std::span<const float> gradient) {
  variable.clear_grad();
  const Context ctx{backend};
  const Variable y = record(ctx, "identity", variable.value().clone(), {variable},
                            [](const Tensor& dy) -> std::vector<Tensor> { return {dy}; });
  backward(ctx, y, Tensor::from(variable.shape(), gradient));
}

/// Parameters without a net.
struct LooseParameters {
  std::vector<Parameter> parameters;
  std::vector<std::string> names;

  void add(std::string name, const Tensor& value, ParameterRole role = ParameterRole::Weight) {
    names.push_back(std::move(name));
    parameters.push_back({.variable = Variable(value.clone(), Gradient::Required), .role = role, .init = {}});
  }
  [[nodiscard]] std::vector<NamedParameter> named() {
    std::vector<NamedParameter> all;
    for (std::size_t i = 0; i < parameters.size(); ++i) all.push_back({names[i], &parameters[i]});
    return all;
  }
};

}  // namespace bitplane::train::testing
