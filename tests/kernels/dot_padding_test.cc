// SPDX-License-Identifier: Apache-2.0
//
// Family `dot`: what a padded pixel is worth where activations are shifted to fit the operand.
#include <gtest/gtest.h>

#include "kernels/dot_support.h"
#include "kernels/reference/bit_conv_runner.h"
#include "kernels/reference/random.h"

namespace bitplane::kernels {
namespace {

using reference::Layer;
using reference::LayerRunner;

/// Rows of three taps, one of them in the padding at either end.
Layer padded_layer(std::vector<std::int32_t> activation_multiples) {
  reference::Random random(11);
  Layer layer;
  layer.shape = {.height = 2, .width = 5, .channels = 3, .out_channels = 4, .kernel_w = 3, .pad_w = 1};
  layer.activation_planes = activation_multiples.size();
  layer.activation_multiples = std::move(activation_multiples);
  layer.weight_planes = 2;
  layer.weight_multiples = {1, -2};
  for (std::size_t i = 0; i < layer.shape.out_channels * layer.shape.filter_size(); ++i)
    layer.weights.push_back(static_cast<std::uint16_t>(random.bits() & 3U));
  const unsigned codes = (1U << layer.activation_planes) - 1U;
  for (std::size_t i = 0; i < layer.shape.height * layer.shape.width * layer.shape.channels; ++i)
    layer.activations.push_back(static_cast<std::uint8_t>(random.bits() & codes));
  return layer;
}

TEST(DotPadding, CountsZeroWhateverActivationsAreShiftedBy) {
  bool wide = false;
  // Bytes as they are, bytes shifted, words as they are, words shifted.
  for (const auto& multiples : {std::vector{1, 2}, {1, -128}, {256, 512}, {16384, 32768}, {-16384, -32768}}) {
    const Layer layer = padded_layer(multiples);
    SCOPED_TRACE(testing::PrintToString(multiples));
    for (const LowBitKernel* kernel : reference::kernels_for(layer)) {
      SCOPED_TRACE(kernel->info.name);
      wide = wide || (kernel->info.family == Family::Dot && multiples.back() == 32768);
      EXPECT_EQ(LayerRunner(layer, *kernel).integers(1), reference::integers_of(layer));
    }
  }
  if (!wide) GTEST_SKIP() << "no kernel of 16-bit elements can run here";
}

}  // namespace
}  // namespace bitplane::kernels
