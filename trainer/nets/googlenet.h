// SPDX-License-Identifier: Apache-2.0
//
// GoogLeNet-Variant (HWGQ, LQ-Nets), for 224x224 pictures:
//
//   C(7,64,2,3) MP BN R Q C*(1,192) BN R Q C*(3,192,1,1) MP BN R Q, inceptions 3a 3b MP, 4a to 4e MP, 5a 5b,
//   BN R Q behind each inception (or its MP; no Q behind the last), GAP, FC + bias
//   inception(o1,o3,o5): C*(1,o1) | C*(1,o3) BN R Q C*(3,o3,1,1) | C*(1,o5) BN R Q C*(5,o5,1,2), channels
//   joined
//
// MP is 3x3 with stride 2 and Caffe's ceil rounding: maps 112, 56, 28, 14, 7. Joined channels 256, 480, 512,
// 512, 512, 528, 832, 832, 1024. No auxiliary classifiers, no pooling branch.
#pragma once

#include <memory>

#include "trainer/nets/net.h"

namespace bitplane::train {

[[nodiscard]] std::unique_ptr<Module> build_googlenet_variant(const NetOptions& options);

}  // namespace bitplane::train
