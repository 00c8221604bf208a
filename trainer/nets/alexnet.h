// SPDX-License-Identifier: Apache-2.0
//
// AlexNet variants, for 227x227 pictures (maps 55, 27, 13, 6). MP is 3x3 max pooling with stride 2.
//
// alexnet        (HWGQ, LQ-Nets) C(11,96,4,0) MP, C*(5,256,1,2) MP, C*(3,384,1,1), C*(3,384,1,1),
//                C*(3,256,1,1) MP, BN R Q behind each (or its MP); FC*4096 BN0 R Q, FC*4096 BN0 R, FC + bias.
//                BN0: without affine. No groups, no LRN, no dropout
// alexnet-bn     (TSQ, QIL) the same with affine batch norms behind the FCs too
// alexnet-caffe  (SLQ, MLQ) Krizhevsky's as Caffe has it: no batch norm; LRN(5, 1e-4, 0.75) behind R 1 and 2,
//                groups 2 in C2, C4, C5, biases everywhere (learning rate times 2), dropout 0.5 behind the R
//                of both hidden FCs
//
// Weights start as N(0, 0.01), those of the hidden FCs as N(0, 0.005). alexnet-caffe: biases of C2, C4, C5
// and of the hidden FCs start at 0.1.
#pragma once

#include <memory>

#include "trainer/nets/net.h"

namespace bitplane::train {

[[nodiscard]] std::unique_ptr<Module> build_alexnet(const NetOptions& options);
[[nodiscard]] std::unique_ptr<Module> build_alexnet_bn(const NetOptions& options);
[[nodiscard]] std::unique_ptr<Module> build_alexnet_caffe(const NetOptions& options);

}  // namespace bitplane::train
