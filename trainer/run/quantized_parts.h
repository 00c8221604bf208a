// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "trainer/config/config.h"
#include "trainer/nn/module.h"

namespace bitplane::train {

/// Throws std::invalid_argument, with what to do, where `net` has no weights or no activations for the bits
/// of `config`. What first_last gives the first and the last layer does not count.
void require_quantized_parts(const Config& config, Module& net);

}  // namespace bitplane::train
