// SPDX-License-Identifier: Apache-2.0
#include "model/ops/normalization.h"

#include <string>

#include "model/limits.h"

namespace bitplane::engine {

Result<NodeFact> check(const LocalResponseNorm& op, std::span<const NodeFact> inputs) {
  Checks checks;
  checks.float_input(inputs[0]);
  checks.range("size", op.size, 1, kMaxDimension);
  if (op.size % 2 == 0) checks.fail("size is " + std::to_string(op.size) + "; it must be odd");
  checks.not_negative("alpha", std::span(&op.alpha, 1));
  checks.not_negative("beta", std::span(&op.beta, 1));
  checks.not_negative("k", std::span(&op.k, 1));
  if (op.k == 0.0F) checks.fail("k is 0; it must be > 0");
  return fact_or(checks, {inputs[0].shape, nullptr});
}

Result<NodeFact> check(const Softmax&, std::span<const NodeFact> inputs) {
  Checks checks;
  checks.float_input(inputs[0]);
  return fact_or(checks, {inputs[0].shape, nullptr});
}

}  // namespace bitplane::engine
