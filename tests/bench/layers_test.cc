// SPDX-License-Identifier: Apache-2.0
#include "layers.h"

#include <gtest/gtest.h>

#include <string>

namespace bitplane::bench {
namespace {

// The four stages of ResNet-18 have as many MACs, and different products.
TEST(Layers, HaveTheBareProductOfTheirOwnSizes) {
  std::string found;
  for (const ConvLayer& layer : kConvLayers) {
    if (const std::string_view gemm = gemm_of(layer.shape()); !gemm.empty())
      found += layer_name(layer) + ": " + std::string(gemm) + "\n";
  }
  EXPECT_EQ(found,
            "ResNet-18 56x56 64>64 3x3: S1\n"
            "ResNet-18 28x28 128>128 3x3: S2\n"
            "ResNet-18 14x14 256>256 3x3: S3\n"
            "ResNet-18 7x7 512>512 3x3: S4\n");
}

}  // namespace
}  // namespace bitplane::bench
