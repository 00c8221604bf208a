// SPDX-License-Identifier: Apache-2.0
//
// cnn-small, for 28x28x1 or 32x32x3 pictures (134 e3 convolution weights, 12.8 M MAC at 28x28x1). C* is
// quantized:
//
//   C(3,16) BN R Q  C*(3,32) MP BN R Q  C*(3,64) MP BN R Q  C*(3,64) BN R Q  C*(3,128) BN R  GAP  FC + bias
//
// All convolutions are 3x3 with stride 1 and padding 1, without bias. The last BN R is not quantized.
#pragma once

#include <memory>

#include "trainer/nets/net.h"

namespace bitplane::train {

[[nodiscard]] std::unique_ptr<Module> build_cnn_small(const NetOptions& options);

}  // namespace bitplane::train
