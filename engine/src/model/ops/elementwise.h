// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "model/checks.h"
#include "model/node_reader.h"

namespace bitplane::engine {

template <class Archive>
void describe(Archive& a, typename Archive::template Value<BatchNorm>& op) {
  a.scalar("epsilon", op.epsilon);
  a.floats("mean", op.mean, Presence::Required);
  a.floats("var", op.var, Presence::Required);
  a.floats("gamma", op.gamma, Presence::Optional);
  a.floats("beta", op.beta, Presence::Optional);
}

template <class Archive>
void describe(Archive&, typename Archive::template Value<Relu>&) {}

Result<NodeFact> check(const BatchNorm& op, std::span<const NodeFact> inputs);
Result<NodeFact> check(const Relu& op, std::span<const NodeFact> inputs);

}  // namespace bitplane::engine
