// SPDX-License-Identifier: Apache-2.0
//
// What is measured: products and layers of the nets that low-bit papers use. The one list of shapes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "bitplane/kernels/conv_shape.h"

namespace bitplane::bench {

/// M output channels, K = input channels * kernel height * kernel width, N output pixels.
struct GemmShape {
  std::string_view name;
  std::size_t m, k, side;  ///< N = side * side: a picture whose window is one pixel
  [[nodiscard]] constexpr std::size_t n() const { return side * side; }
  [[nodiscard]] constexpr kernels::ConvShape shape() const {
    return {.height = side, .width = side, .channels = k, .out_channels = m};
  }
};

/// S1 to S4: the 3x3 layers of ResNet-18's stages; S5: a square; S6, S7: AlexNet's fully connected layers.
inline constexpr GemmShape kGemmShapes[] = {
    {"S1", 64, 576, 56},    {"S2", 128, 1152, 28}, {"S3", 256, 2304, 14}, {"S4", 512, 4608, 7},
    {"S5", 1024, 1024, 32}, {"S6", 4096, 9216, 1}, {"S7", 4096, 4096, 1},
};

/// The product in the list with the sizes of a layer: what it would be without windows and padding. "": none.
[[nodiscard]] constexpr std::string_view gemm_of(const kernels::ConvShape& layer) {
  for (const GemmShape& gemm : kGemmShapes) {
    if (gemm.m == layer.out_channels && gemm.k == layer.filter_size() && gemm.n() == layer.out_pixels())
      return gemm.name;
  }
  return {};
}

/// A layer between quantizers; padding is kernel / 2.
struct ConvLayer {
  std::string_view net;
  std::size_t side, channels, out_channels, kernel, stride;
  [[nodiscard]] constexpr kernels::ConvShape shape() const {
    return {.height = side,
            .width = side,
            .channels = channels,
            .out_channels = out_channels,
            .kernel_h = kernel,
            .kernel_w = kernel,
            .stride_h = stride,
            .stride_w = stride,
            .pad_h = kernel / 2,
            .pad_w = kernel / 2};
  }
};

/// "ResNet-18 56x56 64>128 3x3/2"
[[nodiscard]] inline std::string layer_name(const ConvLayer& layer) {
  const std::string side = std::to_string(layer.side), kernel = std::to_string(layer.kernel);
  const std::string stride = layer.stride == 1 ? "" : "/" + std::to_string(layer.stride);
  return std::string(layer.net) + " " + side + "x" + side + " " + std::to_string(layer.channels) + ">" +
         std::to_string(layer.out_channels) + " " + kernel + "x" + kernel + stride;
}

inline constexpr ConvLayer kConvLayers[] = {
    {"ResNet-18", 56, 64, 64, 3, 1},   {"ResNet-18", 56, 64, 128, 3, 2},  {"ResNet-18", 56, 64, 128, 1, 2},
    {"ResNet-18", 28, 128, 128, 3, 1}, {"ResNet-18", 28, 128, 256, 3, 2}, {"ResNet-18", 28, 128, 256, 1, 2},
    {"ResNet-18", 14, 256, 256, 3, 1}, {"ResNet-18", 14, 256, 512, 3, 2}, {"ResNet-18", 14, 256, 512, 1, 2},
    {"ResNet-18", 7, 512, 512, 3, 1},  {"ResNet-20", 32, 16, 16, 3, 1},   {"ResNet-20", 32, 16, 32, 3, 2},
    {"ResNet-20", 16, 32, 32, 3, 1},   {"ResNet-20", 16, 32, 64, 3, 2},   {"ResNet-20", 8, 64, 64, 3, 1},
    {"VGG-Small", 32, 128, 128, 3, 1}, {"VGG-Small", 16, 128, 256, 3, 1}, {"VGG-Small", 16, 256, 256, 3, 1},
    {"VGG-Small", 8, 256, 512, 3, 1},  {"VGG-Small", 8, 512, 512, 3, 1},  {"AlexNet", 13, 256, 384, 3, 1},
    {"AlexNet", 13, 384, 384, 3, 1},   {"AlexNet", 13, 384, 256, 3, 1},
};

/// Layers of the small net that the trainer's quick start trains and of VGG-Small, so many pictures at a
/// time.
inline constexpr std::size_t kTrainPictures = 4;
inline constexpr ConvLayer kTrainLayers[] = {
    {"train", 28, 1, 16, 3, 1},       {"train", 28, 16, 32, 3, 1}, {"train", 14, 32, 64, 3, 1},
    {"train", 7, 64, 64, 3, 1},       {"train", 7, 64, 128, 3, 1}, {"VGG-Small", 16, 256, 256, 3, 1},
    {"VGG-Small", 8, 512, 512, 3, 1},
};
[[nodiscard]] inline std::string train_layer_name(const ConvLayer& layer) {
  return layer_name(layer) + " x" + std::to_string(kTrainPictures);
}

struct Widths {
  std::size_t weights, activations;
};
inline constexpr Widths kWidths[] = {{1, 1}, {1, 2}, {2, 2}, {3, 3}, {4, 4}};

}  // namespace bitplane::bench
