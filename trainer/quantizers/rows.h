// SPDX-License-Identifier: Apache-2.0
//
// The rows of the list, each defined in the file of its quantizer.
#pragma once

#include "trainer/quantizers/list.h"

namespace bitplane::train {

extern const QuantizerInfo kLqNets;
extern const QuantizerInfo kDorefa;

}  // namespace bitplane::train
