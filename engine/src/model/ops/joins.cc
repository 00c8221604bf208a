// SPDX-License-Identifier: Apache-2.0
#include "model/ops/joins.h"

#include <string>

namespace bitplane::engine {

Result<NodeFact> check(const Add&, std::span<const NodeFact> inputs) {
  Checks checks;
  checks.float_input(inputs[0]);
  checks.float_input(inputs[1]);
  const NodeShape &a = inputs[0].shape, &b = inputs[1].shape;
  if (!(a == b)) {
    checks.fail("its inputs are " + shape_text(a) + " and " + shape_text(b) + "; both must have one shape");
  }
  return fact_or(checks, {a, nullptr});
}

Result<NodeFact> check(const Concat&, std::span<const NodeFact> inputs) {
  Checks checks;
  NodeShape out = inputs[0].shape;
  out.channels = 0;
  for (const NodeFact& input : inputs) {
    checks.float_input(input);
    if (input.shape.height != out.height || input.shape.width != out.width) {
      checks.fail("its inputs are " + shape_text(inputs[0].shape) + " and " + shape_text(input.shape) +
                  "; only their channels may differ");
    }
    out.channels += input.shape.channels;
  }
  checks.shape("output", out);
  return fact_or(checks, {out, nullptr});
}

Result<NodeFact> check(const Identity&, std::span<const NodeFact> inputs) {
  return NodeFact{inputs[0].shape, inputs[0].quantizer};
}

}  // namespace bitplane::engine
