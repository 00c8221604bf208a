// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "trainer/nn/module.h"
#include "trainer/quantizers/quantizer.h"

namespace bitplane::train {

/// What the quantizers of a net tell the metrics, named by their layer: {"conv2.clip_point", 0.7}.
[[nodiscard]] std::vector<Reading> quantizer_readings(const Module& net);

}  // namespace bitplane::train
