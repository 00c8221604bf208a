// SPDX-License-Identifier: Apache-2.0
//
// Plain stacks of convolutions. C*, FC*, Q: where a method quantizes; MP is 2x2 max pooling; convolutions are
// 3x3 with padding 1. The last FC has a bias, whatever stands in front of a BN has none. He fan-in start.
//
// vgg-small    C128 BN R Q, C*128 MP, C*256, C*256 MP, C*512, C*512 MP with BN R Q between, BN R, FC.
//              4 574 592 convolution weights, 607.5 M MAC in convolutions
// vgg-7        the same with the last BN R Q, FC*1024 BN R, FC
// vgg-variant  C(7,96,stride 2,pad 3) R MP BN R Q, 3 C*256 MP, 3 C*512 MP, 3 C*512 MP with BN R Q behind each
//              (or its MP), FC*4096 BN0 R Q, FC*4096 BN0 R, FC. BN0: without affine
// vgg-16-bn    64 64 MP 128 128 MP 3 x 256 MP 3 x 512 MP 3 x 512 MP, BN R Q behind each convolution (or its
// MP),
//              FC*4096 BN R Q, FC*4096 BN R, FC
// vgg-16       the same without batch norm: all layers have biases, R MP Q; dropout 0.5 in front of the last
//              two FCs
#pragma once

#include <memory>

#include "trainer/nets/net.h"

namespace bitplane::train {

[[nodiscard]] std::unique_ptr<Module> build_vgg_small(const NetOptions& options);
[[nodiscard]] std::unique_ptr<Module> build_vgg_7(const NetOptions& options);
[[nodiscard]] std::unique_ptr<Module> build_vgg_variant(const NetOptions& options);
[[nodiscard]] std::unique_ptr<Module> build_vgg_16_bn(const NetOptions& options);
[[nodiscard]] std::unique_ptr<Module> build_vgg_16(const NetOptions& options);

}  // namespace bitplane::train
