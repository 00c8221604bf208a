// SPDX-License-Identifier: Apache-2.0
//
// Operations that look at their neighbours' values: local response normalization and softmax.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "model/checks.h"
#include "model/node_reader.h"

namespace bitplane::engine {

inline constexpr std::array<std::string_view, 2> kScopeNames{"across_channels", "within_channel"};

template <class Archive>
void describe(Archive& a, typename Archive::template Value<LocalResponseNorm>& op) {
  a.choice("scope", op.scope, kScopeNames);
  a.number("size", op.size);
  a.scalar("alpha", op.alpha);
  a.scalar("beta", op.beta);
  a.scalar("k", op.k);
}

template <class Archive>
void describe(Archive&, typename Archive::template Value<Softmax>&) {}

Result<NodeFact> check(const LocalResponseNorm& op, std::span<const NodeFact> inputs);
Result<NodeFact> check(const Softmax& op, std::span<const NodeFact> inputs);

}  // namespace bitplane::engine
