// SPDX-License-Identifier: Apache-2.0
//
// Quantizers whose codes are signs need signed values: behind a ReLU they would give one code alone.
#pragma once

#include "trainer/nn/module.h"

namespace bitplane::train {

/// Takes away each ReLU whose values reach a quantizer that reads signs (ActivationQuantizer::reads_signs())
/// through nothing but layers that keep a sign: pooling, response norm, dropout, shortcut, concatenation.
/// Also where others read it, as a shortcut does: they get the signed values too. The ReLUs in front of other
/// layers stay.
void remove_relus_before_signs(Module& net);

}  // namespace bitplane::train
