// SPDX-License-Identifier: Apache-2.0
//
// A tensor of floats may begin in the middle of the batch: Epilogue::first_row, on every low-bit kernel.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/reference/bit_conv_runner.h"
#include "kernels/reference/random.h"

namespace bitplane::kernels {
namespace {

using reference::Guarded;
using reference::Layer;
using reference::LayerRunner;
using reference::Random;

/// What a test of floats needs beside the layer: an affine and something to add, for all of its outputs.
struct FloatOperands {
  std::vector<float> scale, shift, residual;
};

FloatOperands random_operands(Random& random, const ConvShape& shape) {
  FloatOperands operands;
  for (std::size_t c = 0; c < shape.out_channels; ++c) {
    operands.scale.push_back(random.real());
    operands.shift.push_back(random.real());
  }
  for (std::size_t i = 0; i < shape.out_pixels() * shape.out_channels; ++i)
    operands.residual.push_back(random.real());
  return operands;
}

/// Two pictures, planes of 16 channels to 16 or 24: what the kernels with pixels in their lanes take, too.
Layer small_layer(Random& random, Combination combination, std::size_t out_channels) {
  Layer layer;
  layer.shape = {.batch = 2,
                 .height = 7,
                 .width = 6,
                 .channels = 16,
                 .out_channels = out_channels,
                 .kernel_h = 3,
                 .kernel_w = 3,
                 .pad_h = 1,
                 .pad_w = 1};
  layer.combination = combination;
  layer.activation_planes = 2;
  if (layer.learned_weights()) layer.weight_encoding = Encoding::Bipolar;
  for (std::size_t i = 0; i < out_channels * layer.shape.filter_size(); ++i)
    layer.weights.push_back(static_cast<std::uint16_t>(random.bits() & 1U));
  for (std::size_t i = 0; i < layer.shape.batch * 7 * 6 * 16; ++i)
    layer.activations.push_back(static_cast<std::uint8_t>(random.bits() & 3U));
  layer.weight_multiples = {1};
  layer.activation_multiples = {1, 2};
  for (std::size_t o = 0; o < out_channels; ++o) layer.weight_basis.push_back(random.real());
  layer.activation_basis = {0.75F, 1.5F};
  return layer;
}

std::vector<float> expected_floats(const Layer& layer, const FloatOperands& operands,
                                   const Epilogue& epilogue) {
  const std::vector<float> z = reference::z_of(layer);
  const std::size_t channels = layer.shape.out_channels;
  std::vector<float> out;
  for (std::size_t i = epilogue.first_row * layer.shape.out_width() * channels; i < z.size(); ++i) {
    float t = std::fma(z[i], operands.scale[i % channels], operands.shift[i % channels]);
    if (epilogue.residual != nullptr) t += operands.residual[i];
    out.push_back(epilogue.activation == Activation::Relu ? std::max(t, 0.0F) : t);
  }
  return out;
}

/// Every kernel, in pieces of different lengths.
void expect_floats(const Layer& layer, const FloatOperands& operands, Epilogue epilogue) {
  const std::vector<float> expected = expected_floats(layer, operands, epilogue);
  const std::vector<const LowBitKernel*> kernels = reference::kernels_for(layer);
  ASSERT_FALSE(kernels.empty());
  for (const LowBitKernel* kernel : kernels) {
    SCOPED_TRACE(kernel->info.name);
    for (const std::size_t step : {1U, 3U, 14U}) {
      Guarded<float> out(expected.size());
      std::fill(out.begin(), out.end(), -12345.0F);
      epilogue.out = out.data();
      LayerRunner(layer, *kernel).run(epilogue, step);
      ASSERT_EQ(std::vector<float>(out.begin(), out.end()), expected) << "rows at a time: " << step;
    }
  }
}

TEST(FirstRow, FloatsBeginWhereTheEpilogueSays) {
  for (const Combination combination : {Combination::UniformBoth, Combination::LearnedBoth}) {
    for (const std::size_t out_channels : {16U, 24U}) {
      Random random(out_channels);
      const Layer layer = small_layer(random, combination, out_channels);
      const FloatOperands operands = random_operands(random, layer.shape);
      for (const std::size_t first_row : {0U, 2U, 9U}) {
        SCOPED_TRACE("row " + std::to_string(first_row));
        Epilogue epilogue{.affine = {operands.scale.data(), operands.shift.data()}, .first_row = first_row};
        expect_floats(layer, operands, epilogue);
        epilogue.activation = Activation::Relu;
        expect_floats(layer, operands, epilogue);
        epilogue.residual = operands.residual.data();
        expect_floats(layer, operands, epilogue);
      }
    }
  }
}

// The same pass writes floats and planes; the planes are the whole tensor's all the same.
TEST(FirstRow, FloatsBesidePlanesBeginThereToo) {
  Random random(3);
  const Layer layer = small_layer(random, Combination::UniformBoth, 16);
  const FloatOperands operands = random_operands(random, layer.shape);
  const float thresholds[] = {-0.5F, 0.0F, 0.5F};
  const std::uint8_t code_of_rank[] = {0, 1, 2, 3};
  const ActivationLayout layout{.height = 7, .width = 6, .channels = 16, .planes = 2};
  AlignedArray<std::byte> planes(2 * layout.picture_bytes());
  expect_floats(layer, operands,
                {.kind = EpilogueKind::Planes,
                 .affine = {operands.scale.data(), operands.shift.data()},
                 .residual = operands.residual.data(),
                 .first_row = 5,
                 .ranks = {thresholds, 3, code_of_rank},
                 .out_planes = planes.data(),
                 .layout = layout});
}

}  // namespace
}  // namespace bitplane::kernels
