// SPDX-License-Identifier: Apache-2.0
//
// The light CNN of SLQ and MLQ: Caffe's examples for CIFAR-10. MP, AP are 3x3 with stride 2 and Caffe's ceil
// rounding (32, 16, 8, 4 pixels); an average divides by the pixels inside the picture. No batch norm.
//
// light-cnn       (cifar10_quick, 145 578 parameters)
//                 C(5,32,1,2) MP R, C(5,32,1,2) R AP, C(5,64,1,2) R AP, FC64, FC: all with bias
// light-cnn-full  (cifar10_full) the same convolutions, LRN(3, 5e-5, 0.75, within the channel) behind MP R
// and
//                 behind the first AP, and the last FC alone
//
// Weights start as N(0, 1e-4), 0.01, 0.01, 0.1, 0.1 (full: 0.01 in its FC), biases at 0; biases learn twice
// as fast.
#pragma once

#include <memory>

#include "trainer/nets/net.h"

namespace bitplane::train {

[[nodiscard]] std::unique_ptr<Module> build_light_cnn(const NetOptions& options);
[[nodiscard]] std::unique_ptr<Module> build_light_cnn_full(const NetOptions& options);

}  // namespace bitplane::train
