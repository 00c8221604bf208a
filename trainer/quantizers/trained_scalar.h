// SPDX-License-Identifier: Apache-2.0
//
// One number of a layer that training moves: a step, a clip point, the centre of an interval.
#pragma once

#include <algorithm>

#include "trainer/autograd/parameter.h"

namespace bitplane::train {

class TrainedScalar {
 public:
  explicit TrainedScalar(float value, float learning_rate_factor = 1.0F,
                         ParameterRole role = ParameterRole::Quantizer)
      : parameter_{.variable = Variable(Tensor::filled({1}, value), Gradient::Required),
                   .role = role,
                   .init = {.rule = InitRule::Constant, .value = value},
                   .learning_rate_factor = learning_rate_factor} {}

  [[nodiscard]] float value() const noexcept { return parameter_.variable.value().data()[0]; }
  void set(float value) noexcept { parameter_.variable.mutable_value().mutable_data()[0] = value; }
  [[nodiscard]] const Variable& variable() const noexcept { return parameter_.variable; }
  void visit(const std::string& name, const StateVisitor& visitor) { visitor.parameter(name, parameter_); }

 private:
  Parameter parameter_;
};

/// A gradient of one number.
[[nodiscard]] inline Tensor scalar_tensor(double value) {
  return Tensor::filled({1}, static_cast<float>(value));
}

}  // namespace bitplane::train
