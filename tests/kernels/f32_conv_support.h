// SPDX-License-Identifier: Apache-2.0
//
// Float convolutions written down directly, and the geometries to try.
#pragma once

#include <cmath>
#include <ostream>
#include <vector>

#include "bitplane/kernels/f32.h"
#include "kernels/f32_support.h"

namespace bitplane::kernels {

/// x at a position that may lie in the padding.
inline float padded_at(const ConvShape& s, const std::vector<float>& x, std::size_t picture, std::size_t y,
                       std::size_t column, std::size_t channel) {
  if (y < s.pad_h || y >= s.pad_h + s.height || column < s.pad_w || column >= s.pad_w + s.width) return 0.0F;
  return x[((picture * s.height + y - s.pad_h) * s.width + column - s.pad_w) * s.channels + channel];
}

/// The input element that output position (picture, oy, ox) meets at filter element k of a group.
inline float input_at(const ConvShape& s, const std::vector<float>& x, std::size_t picture, std::size_t oy,
                      std::size_t ox, std::size_t group, std::size_t k) {
  const std::size_t group_channels = s.channels / s.groups;
  const std::size_t tap = k / group_channels, channel = k % group_channels;
  return padded_at(s, x, picture, oy * s.stride_h + tap / s.kernel_w * s.dilation_h,
                   ox * s.stride_w + tap % s.kernel_w * s.dilation_w, group * group_channels + channel);
}

/// weights [out][K]
inline std::vector<float> reference_forward(const ConvShape& s, const std::vector<float>& x,
                                            const std::vector<float>& w) {
  std::vector<float> z(s.out_pixels() * s.out_channels);
  std::size_t i = 0;
  for (std::size_t picture = 0; picture < s.batch; ++picture) {
    for (std::size_t oy = 0; oy < s.out_height(); ++oy) {
      for (std::size_t ox = 0; ox < s.out_width(); ++ox) {
        for (std::size_t o = 0; o < s.out_channels; ++o, ++i) {
          const std::size_t group = o / (s.out_channels / s.groups);
          for (std::size_t k = 0; k < s.filter_size(); ++k) {
            z[i] = std::fma(input_at(s, x, picture, oy, ox, group, k), w[o * s.filter_size() + k], z[i]);
          }
        }
      }
    }
  }
  return z;
}

inline std::vector<F32Panels> pack_groups(const ConvShape& s, const std::vector<float>& w) {
  const std::size_t out = s.out_channels / s.groups;
  std::vector<F32Panels> groups;
  for (std::size_t g = 0; g < s.groups; ++g) {
    groups.emplace_back(s.filter_size(), out);
    pack_f32_panels(w.data() + g * out * s.filter_size(), 1, s.filter_size(), groups.back());
  }
  return groups;
}

struct ConvCase {
  const char* name;
  ConvShape shape;
};

inline void PrintTo(const ConvCase& c, std::ostream* out) {
  *out << c.name;
}

inline const ConvCase kConvCases[] = {
    {"first_layer",
     {.batch = 2,
      .height = 9,
      .width = 11,
      .channels = 1,
      .out_channels = 16,
      .kernel_h = 3,
      .kernel_w = 3,
      .pad_h = 1,
      .pad_w = 1}},
    {"no_padding",
     {.batch = 2, .height = 7, .width = 6, .channels = 5, .out_channels = 13, .kernel_h = 3, .kernel_w = 2}},
    {"strided",
     {.batch = 1,
      .height = 13,
      .width = 10,
      .channels = 3,
      .out_channels = 20,
      .kernel_h = 5,
      .kernel_w = 3,
      .stride_h = 2,
      .stride_w = 3,
      .pad_h = 2,
      .pad_w = 0}},
    {"dilated",
     {.batch = 1,
      .height = 12,
      .width = 12,
      .channels = 4,
      .out_channels = 33,
      .kernel_h = 3,
      .kernel_w = 3,
      .pad_h = 2,
      .pad_w = 3,
      .dilation_h = 2,
      .dilation_w = 3}},
    {"grouped",
     {.batch = 2,
      .height = 5,
      .width = 5,
      .channels = 12,
      .out_channels = 51,
      .kernel_h = 3,
      .kernel_w = 3,
      .pad_h = 1,
      .pad_w = 1,
      .groups = 3}},
    {"depthwise",
     {.batch = 1,
      .height = 6,
      .width = 6,
      .channels = 7,
      .out_channels = 7,
      .kernel_h = 3,
      .kernel_w = 3,
      .pad_h = 1,
      .pad_w = 1,
      .groups = 7}},
    {"pointwise", {.batch = 3, .height = 4, .width = 4, .channels = 65, .out_channels = 31}},
    {"linear", {.batch = 5, .channels = 257, .out_channels = 10}},
    {"deep",
     {.batch = 1,
      .height = 7,
      .width = 7,
      .channels = 64,
      .out_channels = 70,
      .kernel_h = 3,
      .kernel_w = 3,
      .pad_h = 1,
      .pad_w = 1}},
    {"strided_1x1",
     {.batch = 2, .height = 5, .width = 4, .channels = 6, .out_channels = 17, .stride_h = 2, .stride_w = 2}},
    {"resnet_stage",
     {.batch = 37,  // not a multiple of the pictures that one product takes
      .height = 6,
      .width = 6,
      .channels = 18,
      .out_channels = 19,
      .kernel_h = 3,
      .kernel_w = 3,
      .stride_h = 2,
      .stride_w = 2,
      .pad_h = 1,
      .pad_w = 1}},
    {"padding_only_window",
     {.batch = 1,
      .height = 1,
      .width = 2,
      .channels = 2,
      .out_channels = 3,
      .kernel_h = 2,
      .kernel_w = 2,
      .pad_h = 3,
      .pad_w = 2}},
};

}  // namespace bitplane::kernels
