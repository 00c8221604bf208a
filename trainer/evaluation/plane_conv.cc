// SPDX-License-Identifier: Apache-2.0
#include "trainer/evaluation/plane_conv.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace bitplane::train {

/// D(j, i)[o] for the channels o of one group; plane index `planes` of a side is its plane of ones.
struct PlaneConv::Window {
  const float* first;        ///< D(0, 0)
  std::size_t plane_stride;  ///< from activation plane j to j + 1
  std::size_t channels;

  [[nodiscard]] const float* d(std::size_t j, std::size_t i) const noexcept {
    return first + j * plane_stride + i * channels;
  }
  [[nodiscard]] std::int64_t integer(std::size_t j, std::size_t i, std::size_t o) const noexcept {
    return static_cast<std::int64_t>(d(j, i)[o]);
  }
};

PlaneConv::PlaneConv(const kernels::ConvShape& shape, const engine::PlaneWeights& weights,
                     const engine::Quantize& input)
    : weights_(make_side(weights)),
      activations_(make_side(input)),
      pixels_(shape.out_height() * shape.out_width()),
      groups_(shape.groups),
      group_channels_(shape.out_channels / shape.groups) {
  const std::size_t k = shape.filter_size();
  if (weights.planes.k != k || weights.planes.rows != shape.out_channels) {
    throw std::invalid_argument("weight planes of " + std::to_string(weights.planes.rows) + " x " +
                                std::to_string(weights.planes.k) + " for a convolution of " +
                                std::to_string(shape.out_channels) + " x " + std::to_string(k));
  }
  if (k > (std::size_t{1} << 24)) {
    throw std::invalid_argument("a filter of " + std::to_string(k) +
                                " elements: its plane products are not exact in float32");
  }
  const std::size_t ones = weights_.has_offset() || activations_.has_offset() ? 1 : 0;
  input_planes_ = activations_.planes + ones;
  group_columns_ = weights_.planes * group_channels_ + ones;

  kernels::ConvShape expanded = shape;
  expanded.batch = input_planes_;
  expanded.out_channels = groups_ * group_columns_;
  conv_ = kernels::F32Conv(expanded);
  for (std::size_t g = 0; g < groups_; ++g) {
    std::vector<float> columns(group_columns_ * k, 1.0F);
    for (std::size_t i = 0; i < weights_.planes; ++i) {
      for (std::size_t o = 0; o < group_channels_; ++o) {
        const std::vector<float> row = read_plane_row(weights, i, g * group_channels_ + o);
        std::copy(row.begin(), row.end(),
                  columns.begin() + static_cast<std::ptrdiff_t>((i * group_channels_ + o) * k));
      }
    }
    panels_.emplace_back(k, group_columns_);
    kernels::pack_f32_panels(columns.data(), 1, k, panels_.back());
  }
}

std::size_t PlaneConv::product_floats() const noexcept {
  return input_planes_ * pixels_ * groups_ * group_columns_;
}

void PlaneConv::run(const kernels::F32Kernels& kernels, const Buffers& buffers) const {
  const kernels::ConvShape& shape = conv_.shape();
  conv_.forward(kernels, buffers.planes, panels_.data(), buffers.products,
                {.begin = 0, .end = shape.batch * shape.out_height()}, buffers.scratch);
  const std::size_t pixel_floats = groups_ * group_columns_;
  for (std::size_t p = 0; p < pixels_; ++p) {
    for (std::size_t g = 0; g < groups_; ++g) {
      const Window window{.first = buffers.products + p * pixel_floats + g * group_columns_,
                          .plane_stride = pixels_ * pixel_floats,
                          .channels = group_channels_};
      combine(window, g * group_channels_, buffers.z + (p * groups_ + g) * group_channels_);
    }
  }
}

void PlaneConv::combine(const Window& window, std::size_t first_channel, float* z) const {
  std::fill_n(z, group_channels_, 0.0F);
  if (weights_.uniform() && activations_.uniform()) {
    combine_uniform(window, z);
  } else if (activations_.uniform()) {
    combine_learned_weights(window, first_channel, z);
  } else if (weights_.uniform()) {
    combine_learned_activations(window, z);
  } else {
    combine_learned(window, first_channel, z);
  }
  if (weights_.has_offset()) add_weight_offset(window, first_channel, z);
  if (activations_.has_offset()) add_activation_offset(window, first_channel, z);
}

void PlaneConv::combine_uniform(const Window& window, float* z) const {
  for (std::size_t o = 0; o < group_channels_; ++o) {
    std::int64_t sum = 0;
    for (std::size_t j = 0; j < activations_.planes; ++j) {
      for (std::size_t i = 0; i < weights_.planes; ++i) {
        sum += weights_.multipliers[i] * activations_.multipliers[j] * window.integer(j, i, o);
      }
    }
    z[o] = static_cast<float>(sum);
  }
}

void PlaneConv::combine_learned_weights(const Window& window, std::size_t first_channel, float* z) const {
  const std::size_t channels = groups_ * group_channels_;
  for (std::size_t i = 0; i < weights_.planes; ++i) {
    for (std::size_t o = 0; o < group_channels_; ++o) {
      std::int64_t sum = 0;
      for (std::size_t j = 0; j < activations_.planes; ++j) {
        sum += activations_.multipliers[j] * window.integer(j, i, o);
      }
      z[o] = std::fma(weights_.basis[i * channels + first_channel + o], static_cast<float>(sum), z[o]);
    }
  }
}

void PlaneConv::combine_learned_activations(const Window& window, float* z) const {
  for (std::size_t j = 0; j < activations_.planes; ++j) {
    for (std::size_t o = 0; o < group_channels_; ++o) {
      std::int64_t sum = 0;
      for (std::size_t i = 0; i < weights_.planes; ++i)
        sum += weights_.multipliers[i] * window.integer(j, i, o);
      z[o] = std::fma(activations_.basis[j], static_cast<float>(sum), z[o]);
    }
  }
}

void PlaneConv::combine_learned(const Window& window, std::size_t first_channel, float* z) const {
  const std::size_t channels = groups_ * group_channels_;
  for (std::size_t j = 0; j < activations_.planes; ++j) {
    const float u = activations_.basis[j];
    for (std::size_t i = 0; i < weights_.planes; ++i) {
      const float* v = weights_.basis.data() + i * channels + first_channel;
      const float* d = window.d(j, i);
      for (std::size_t o = 0; o < group_channels_; ++o) z[o] = std::fma(v[o] * u, d[o], z[o]);
    }
  }
}

void PlaneConv::add_weight_offset(const Window& window, std::size_t first_channel, float* z) const {
  // The column of ones: S_j, the sum of activation plane j over the window; its own plane of ones gives K.
  const std::size_t ones = weights_.planes;
  float sum = 0.0F;
  if (activations_.uniform()) {
    std::int64_t exact = 0;
    for (std::size_t j = 0; j < activations_.planes; ++j)
      exact += activations_.multipliers[j] * window.integer(j, ones, 0);
    sum = static_cast<float>(exact);
  } else {
    for (std::size_t j = 0; j < activations_.planes; ++j) {
      sum = std::fma(activations_.basis[j], window.d(j, ones)[0], sum);
    }
  }
  if (activations_.has_offset()) {
    sum = std::fma(activations_.offset[0], window.d(activations_.planes, ones)[0], sum);
  }
  for (std::size_t o = 0; o < group_channels_; ++o) {
    const std::size_t channel = weights_.offset.size() == 1 ? 0 : first_channel + o;
    z[o] = std::fma(weights_.offset[channel], sum, z[o]);
  }
}

void PlaneConv::add_activation_offset(const Window& window, std::size_t first_channel, float* z) const {
  // The plane of ones: R_i, the sum of weight plane i over the taps inside the picture.
  const std::size_t ones = activations_.planes;
  const std::size_t channels = groups_ * group_channels_;
  for (std::size_t o = 0; o < group_channels_; ++o) {
    float sum = 0.0F;
    if (weights_.uniform()) {
      std::int64_t exact = 0;
      for (std::size_t i = 0; i < weights_.planes; ++i)
        exact += weights_.multipliers[i] * window.integer(ones, i, o);
      sum = static_cast<float>(exact);
    } else {
      for (std::size_t i = 0; i < weights_.planes; ++i) {
        sum = std::fma(weights_.basis[i * channels + first_channel + o], window.d(ones, i)[o], sum);
      }
    }
    z[o] = std::fma(activations_.offset[0], sum, z[o]);
  }
}

}  // namespace bitplane::train
