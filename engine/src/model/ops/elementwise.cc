// SPDX-License-Identifier: Apache-2.0
#include "model/ops/elementwise.h"

#include <algorithm>
#include <string>

namespace bitplane::engine {

Result<NodeFact> check(const BatchNorm& op, std::span<const NodeFact> inputs) {
  const std::size_t channels = inputs[0].shape.channels;
  Checks checks;
  checks.float_input(inputs[0]);
  checks.size("mean", op.mean.size(), channels);
  checks.size("var", op.var.size(), channels);
  checks.size_or_empty("gamma", op.gamma.size(), channels);
  checks.size_or_empty("beta", op.beta.size(), channels);
  checks.finite("mean", op.mean);
  checks.finite("gamma", op.gamma);
  checks.finite("beta", op.beta);
  checks.not_negative("var", op.var);
  checks.not_negative("epsilon", std::span(&op.epsilon, 1));
  const auto zero = std::find(op.var.begin(), op.var.end(), 0.0F);
  if (op.epsilon == 0.0F && zero != op.var.end()) {
    checks.fail("var[" + std::to_string(zero - op.var.begin()) +
                "] and epsilon are both 0; var + epsilon must be > 0");
  }
  return fact_or(checks, {inputs[0].shape, nullptr});
}

Result<NodeFact> check(const Relu&, std::span<const NodeFact> inputs) {
  Checks checks;
  checks.float_input(inputs[0]);
  return fact_or(checks, {inputs[0].shape, nullptr});
}

}  // namespace bitplane::engine
