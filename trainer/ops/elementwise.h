// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "trainer/autograd/variable.h"

namespace bitplane::train {

/// x > 0 ? x : +0
Variable relu(const Context& ctx, const Variable& x);
/// Same shapes; throws std::invalid_argument otherwise.
Variable add(const Context& ctx, const Variable& a, const Variable& b);
/// [n][...] -> [n][rest]; shares the storage.
Variable flatten(const Context& ctx, const Variable& x);

}  // namespace bitplane::train
