// SPDX-License-Identifier: Apache-2.0
//
// The rows of the list, each defined in the file of its quantizer.
#pragma once

#include "trainer/quantizers/list.h"

namespace bitplane::train {

extern const QuantizerInfo kLqNets;
extern const QuantizerInfo kDorefa;
extern const QuantizerInfo kLsq;
extern const QuantizerInfo kQil;
extern const QuantizerInfo kGdrq;
extern const QuantizerInfo kBwn;
extern const QuantizerInfo kSign;
extern const QuantizerInfo kTwn;
extern const QuantizerInfo kTtq;
extern const QuantizerInfo kHwgq;
extern const QuantizerInfo kPact;
extern const QuantizerInfo kTsq;
extern const QuantizerInfo kInq;
extern const QuantizerInfo kAbcNet;
extern const QuantizerInfo kSlq;
extern const QuantizerInfo kEslq;
extern const QuantizerInfo kMlq;

}  // namespace bitplane::train
