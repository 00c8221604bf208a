// SPDX-License-Identifier: Apache-2.0
#include "trainer/evaluation/product.h"

#include <stdexcept>
#include <string>

namespace bitplane::train {

std::size_t elements(const engine::NodeShape& shape) noexcept {
  return shape.height * shape.width * shape.channels;
}

Product product_of(const engine::Conv2d& conv, const engine::NodeShape& in) {
  return {.shape = {.height = in.height,
                    .width = in.width,
                    .channels = in.channels,
                    .out_channels = conv.out_channels,
                    .kernel_h = conv.kernel_h,
                    .kernel_w = conv.kernel_w,
                    .stride_h = conv.stride_h,
                    .stride_w = conv.stride_w,
                    .pad_h = conv.pad_h,
                    .pad_w = conv.pad_w,
                    .dilation_h = conv.dilation_h,
                    .dilation_w = conv.dilation_w,
                    .groups = conv.groups},
          .weights = conv.weights,
          .bias = conv.bias};
}

Product product_of(const engine::Linear& linear, const engine::NodeShape& in) {
  return {.shape = {.channels = elements(in), .out_channels = linear.out_features},
          .weights = linear.weights,
          .bias = linear.bias};
}

std::vector<float> values_of(const engine::CodebookWeights& weights) {
  const engine::Planes& planes = weights.indices;
  const bool layer = weights.scope == engine::CodebookScope::Layer;
  const std::size_t row_words = (planes.k + 63) / 64;
  const std::size_t count = layer ? weights.levels.size() : weights.levels.size() / planes.rows;
  std::vector<float> values;
  values.reserve(planes.rows * planes.k);
  for (std::size_t o = 0; o < planes.rows; ++o) {
    for (std::size_t t = 0; t < planes.k; ++t) {
      std::size_t index = 0;
      for (std::size_t p = 0; p < planes.planes; ++p) {
        index |= (planes.words[(p * planes.rows + o) * row_words + t / 64] >> (t % 64) & 1U) << p;
      }
      values.push_back(weights.levels.at(layer ? index : o * count + index));
    }
  }
  return values;
}

std::vector<kernels::F32Panels> pack_float_weights(const kernels::ConvShape& shape,
                                                   std::span<const float> weights) {
  const std::size_t k = shape.filter_size();
  if (weights.size() != k * shape.out_channels) {
    throw std::invalid_argument(std::to_string(weights.size()) + " weights for " +
                                std::to_string(shape.out_channels) + " filters of " + std::to_string(k));
  }
  const std::size_t group_channels = shape.out_channels / shape.groups;
  std::vector<kernels::F32Panels> panels;
  for (std::size_t g = 0; g < shape.groups; ++g) {
    panels.emplace_back(k, group_channels);
    kernels::pack_f32_panels(weights.data() + g * group_channels * k, 1, k, panels.back());
  }
  return panels;
}

}  // namespace bitplane::train
