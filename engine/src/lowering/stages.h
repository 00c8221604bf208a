// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "lowering/program.h"

namespace bitplane::engine {

/// Do `second`'s stages fit behind `first`'s in the one order affine, sum, affine, ReLU, quantize?
[[nodiscard]] bool can_append(const Stages& first, const Stages& second) noexcept;
/// Appends them; behind a ReLU, negative thresholds become -inf.
void append(Stages& first, Stages&& second);
/// Those of `more` that are not there yet.
void add_nodes(std::vector<std::size_t>& nodes, const std::vector<std::size_t>& more);
/// t = z, also where z is -0.
[[nodiscard]] Affine identity_affine(std::size_t channels);

}  // namespace bitplane::engine
