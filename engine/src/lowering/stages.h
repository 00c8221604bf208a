// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "lowering/program.h"

namespace bitplane::engine {

/// Do `second`'s stages fit behind `first`'s in the one order affine, ReLU, quantize?
[[nodiscard]] bool can_append(const Stages& first, const Stages& second) noexcept;
/// Appends them; behind a ReLU, negative thresholds become -inf.
void append(Stages& first, Stages&& second);

}  // namespace bitplane::engine
