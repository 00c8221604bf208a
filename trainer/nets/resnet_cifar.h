// SPDX-License-Identifier: Apache-2.0
//
// ResNet-20 for CIFAR (He, Zhang, Ren, Sun) in pre-activation order, C* and Q as LQ-Nets places them:
//
//   C(3,16) BN R, 3 stages x 3 blocks of 16, 32, 64 channels, BN R GAP FC + bias
//   block:  (BN R, not in the very first) Q C*(3,o,stride) BN R Q C*(3,o,1)  + shortcut
//
// The shortcut branches off in front of the block's first BN. Stages 2 and 3 start with stride 2: there the
// shortcut is an average over 2 x 2 pixels with the new channels as zeros, half in front, half behind.
// Convolutions start as N(0, sqrt(2 / (9 out))), He's fan-out rule. 267 696 convolution weights, 40.6 M MAC.
#pragma once

#include <memory>

#include "trainer/nets/net.h"

namespace bitplane::train {

[[nodiscard]] std::unique_ptr<Module> build_resnet_20(const NetOptions& options);

}  // namespace bitplane::train
