// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "model/checks.h"
#include "model/node_reader.h"

namespace bitplane::engine {

inline constexpr std::array<std::string_view, 2> kRoundingNames{"floor", "ceil"};
inline constexpr std::array<std::string_view, 2> kDivisorNames{"inside", "padded"};
inline constexpr std::array<std::string_view, 2> kSamplingNames{"average", "subsample"};

/// The window that both poolings have.
template <class Archive, class Pool>
void describe_window(Archive& a, Pool& op) {
  a.pair("kernel", op.kernel_h, op.kernel_w);
  a.pair("stride", op.stride_h, op.stride_w);
  a.pair("padding", op.pad_h, op.pad_w);
  a.choice("rounding", op.rounding, kRoundingNames);
}

template <class Archive>
void describe(Archive& a, typename Archive::template Value<MaxPool>& op) {
  describe_window(a, op);
}

template <class Archive>
void describe(Archive& a, typename Archive::template Value<AveragePool>& op) {
  describe_window(a, op);
  a.choice("divisor", op.divisor, kDivisorNames);
}

template <class Archive>
void describe(Archive& a, typename Archive::template Value<ZeroChannelShortcut>& op) {
  a.pair("stride", op.stride_h, op.stride_w);
  a.number("front", op.front);
  a.number("back", op.back);
  a.choice("sampling", op.sampling, kSamplingNames);
}

template <class Archive>
void describe(Archive&, typename Archive::template Value<GlobalAveragePool>&) {}

template <class Archive>
void describe(Archive&, typename Archive::template Value<Flatten>&) {}

Result<NodeFact> check(const MaxPool& op, std::span<const NodeFact> inputs);
Result<NodeFact> check(const AveragePool& op, std::span<const NodeFact> inputs);
Result<NodeFact> check(const ZeroChannelShortcut& op, std::span<const NodeFact> inputs);
Result<NodeFact> check(const GlobalAveragePool& op, std::span<const NodeFact> inputs);
Result<NodeFact> check(const Flatten& op, std::span<const NodeFact> inputs);

}  // namespace bitplane::engine
