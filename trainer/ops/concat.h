// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "trainer/autograd/variable.h"

namespace bitplane::train {

/// The channels (last dimension) of all parts, one after another. At least one part; all other dimensions are
/// equal, std::invalid_argument with both shapes otherwise.
Variable concat(const Context& ctx, const std::vector<Variable>& parts);

}  // namespace bitplane::train
