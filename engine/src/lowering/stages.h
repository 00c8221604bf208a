// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lowering/program.h"

namespace bitplane::engine {

/// Do `second`'s stages fit behind `first`'s in the one order affine, sum, affine, ReLU, quantize?
[[nodiscard]] bool can_append(const Stages& first, const Stages& second) noexcept;
/// Appends them; behind a ReLU, negative thresholds become -inf.
void append(Stages& first, Stages&& second);
/// Those of `more` that are not there yet.
void add_nodes(std::vector<std::size_t>& nodes, const std::vector<std::size_t>& more);
/// 1 for the channels in which stages turn the order round: those in which one affine falls, not both.
[[nodiscard]] std::vector<std::uint8_t> falling_channels(const Stages& stages, std::size_t channels);
/// t = z, also where z is -0.
[[nodiscard]] Affine identity_affine(std::size_t channels);

}  // namespace bitplane::engine
