// SPDX-License-Identifier: Apache-2.0
//
// The ResNets for CIFAR. C* and Q: where a method quantizes.
//
// resnet-20 (pre-activation, as LQ-Nets uses it): 267 696 convolution weights, 40.6 M MAC
//   C(3,16) BN R, 3 stages x 3 blocks of 16, 32, 64 channels, BN R GAP FC + bias
//   block:  (BN R, not in the very first) Q C*(3,o,stride) BN R Q C*(3,o,1)  + shortcut
//   The shortcut branches off in front of the block's first BN. Stages 2 and 3 start with stride 2: there the
//   shortcut is an average over 2 x 2 pixels with the new channels as zeros, half in front, half behind.
//
// resnet-20-post (He, Zhang, Ren, Sun; for SLQ, MLQ): the same skeleton, conv BN R conv BN add R Q; where the
//   shape changes the shortcut takes every second pixel and has its zeros behind.
//
// resnet-18-cifar (GDRQ): C(3,64) BN R Q, 4 stages x 2 such blocks of 64, 128, 256, 512 channels with
//   projection shortcuts C*(1,o,stride) BN, GAP FC + bias. 11 159 232 convolution weights, 555 M MAC.
#pragma once

#include <memory>

#include "trainer/nets/net.h"

namespace bitplane::train {

[[nodiscard]] std::unique_ptr<Module> build_resnet_20(const NetOptions& options);
[[nodiscard]] std::unique_ptr<Module> build_resnet_20_post(const NetOptions& options);
[[nodiscard]] std::unique_ptr<Module> build_resnet_18_cifar(const NetOptions& options);

}  // namespace bitplane::train
