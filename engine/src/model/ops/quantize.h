// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "model/limits.h"
#include "model/ops/weights.h"

namespace bitplane::engine {

/// Codes of that many bits; 0 where the bits are out of range.
[[nodiscard]] constexpr std::size_t levels_of(std::size_t bits) noexcept {
  return bits <= kMaxActivationBits ? std::size_t{1} << bits : 0;
}

template <class Archive>
void describe(Archive& a, typename Archive::template Value<Quantize>& op) {
  a.number("bits", op.bits);
  a.choice("encoding", op.encoding, kEncodingNames);
  describe_basis(a, op.basis, {"scale", "basis"}, {});
  a.scalar("offset", op.offset);
  a.floats("thresholds", op.thresholds, Presence::Required);
  a.bytes("code_of_rank", op.code_of_rank, Presence::Required, {levels_of(op.bits)});
}

template <class Archive>
void describe(Archive&, typename Archive::template Value<Dequantize>&) {}

Result<NodeFact> check(const Quantize& op, std::span<const NodeFact> inputs);
Result<NodeFact> check(const Dequantize& op, std::span<const NodeFact> inputs);

}  // namespace bitplane::engine
