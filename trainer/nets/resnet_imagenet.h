// SPDX-License-Identifier: Apache-2.0
//
// The ResNets for ImageNet: stem C(7,64,2,3) BN R MP(3,2,1), 4 stages of 64, 128, 256, 512 channels (the
// bottlenecks of resnet-50 give 4 times as many), stride 2 at stages 2 to 4, GAP, FC + bias.
//
// resnet-18, resnet-34: pre-activation, wired as LQ-Nets does
//   Branch:  C*(3,o,s) BN R Q C*(3,o,1) BN, and behind each stage BN R (and Q but for the last).
//   First block of stage 1: the shortcut is the float input, the branch starts with Q.
//   First block of the others: branch and shortcut C*(1,o,s) BN both read what the stage before quantized.
//   All other blocks: the shortcut is the block's input, the branch starts with BN R Q.
// resnet-50: bottlenecks with parameter-free shortcuts (option A)
//   First blocks: the shortcut averages s x s pixels of the float input and has its new channels as zeros
//   behind; the branch starts with Q. Behind each stage BN R.
//
// resnet-18-post, -34-post, -50-post: the ordinary order conv BN R conv BN add R Q, with projection
// shortcuts;
//   the last BN of a branch starts at gamma = 0. What LQ-Nets uses with float activations.
#pragma once

#include <memory>

#include "trainer/nets/net.h"

namespace bitplane::train {

[[nodiscard]] std::unique_ptr<Module> build_resnet_18(const NetOptions& options);
[[nodiscard]] std::unique_ptr<Module> build_resnet_34(const NetOptions& options);
[[nodiscard]] std::unique_ptr<Module> build_resnet_50(const NetOptions& options);
[[nodiscard]] std::unique_ptr<Module> build_resnet_18_post(const NetOptions& options);
[[nodiscard]] std::unique_ptr<Module> build_resnet_34_post(const NetOptions& options);
[[nodiscard]] std::unique_ptr<Module> build_resnet_50_post(const NetOptions& options);

}  // namespace bitplane::train
