// SPDX-License-Identifier: Apache-2.0
//
// Where branches meet, and what passes its input on.
#pragma once

#include <span>

#include "model/checks.h"
#include "model/node_reader.h"

namespace bitplane::engine {

template <class Archive>
void describe(Archive&, typename Archive::template Value<Add>&) {}

template <class Archive>
void describe(Archive&, typename Archive::template Value<Concat>&) {}

template <class Archive>
void describe(Archive&, typename Archive::template Value<Identity>&) {}

Result<NodeFact> check(const Add& op, std::span<const NodeFact> inputs);
Result<NodeFact> check(const Concat& op, std::span<const NodeFact> inputs);
Result<NodeFact> check(const Identity& op, std::span<const NodeFact> inputs);

}  // namespace bitplane::engine
