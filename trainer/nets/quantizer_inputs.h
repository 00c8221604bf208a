// SPDX-License-Identifier: Apache-2.0
//
// What quantizers want in front of them. A finished net is asked: the layer may stand in another container
// than the quantizer.
#pragma once

#include "trainer/nn/module.h"

namespace bitplane::train {

/// Takes away each ReLU whose values reach a quantizer that reads signs (ActivationQuantizer::reads_signs())
/// through nothing but layers that keep a sign: pooling, response norm, dropout, shortcut, concatenation.
/// Behind a ReLU such a quantizer would give one code alone. Also where others read it, as a shortcut does:
/// they get the signed values too. The ReLUs in front of other layers stay.
void remove_relus_before_signs(Module& net);

/// Takes scale and shift away from each batch norm whose values reach a quantizer of fixed levels
/// (ActivationQuantizer::wants_unit_input()) through nothing but ReLUs, max-poolings and dropouts. Behind a
/// sum or a concatenation the values are not those of one batch norm: those in front of it stay as they are.
void remove_affine_before_fixed_levels(Module& net);

/// Throws std::invalid_argument, naming the layer, for a quantizer of fixed levels with no batch norm at all
/// between the net's input and itself: its input has any deviation, and where that is far below the first
/// threshold every code is 0 and the net does not learn.
void require_norm_before_fixed_levels(Module& net);

}  // namespace bitplane::train
