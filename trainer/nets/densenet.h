// SPDX-License-Identifier: Apache-2.0
//
// DenseNet-121 as LQ-Nets uses it, for 224x224 pictures:
//
//   C(7,64,2,3) BN R MP(3,2,1), dense blocks of 6, 12, 24, 16 layers, growth 32; between them a transition
//   C*(1, half the channels, rounded down) AP(2,2); BN R GAP, FC + bias
//   layer: C*(1,128) BN R Q C*(3,32,1,1) BN R Q, whose channels go in front of the layer's input
//
// Features are quantized where they are made; a layer has no BN in front. What the stem and the transitions
// hand to a block is quantized at the block's entrance (the released code leaves it float), so that every C*
// reads quantized values. The joined channels still lie on the levels of several quantizers.
#pragma once

#include <memory>

#include "trainer/nets/net.h"

namespace bitplane::train {

[[nodiscard]] std::unique_ptr<Module> build_densenet_121(const NetOptions& options);

}  // namespace bitplane::train
