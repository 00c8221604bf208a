// SPDX-License-Identifier: Apache-2.0
//
// The oracle of the bit-serial family: a convolution on unpacked codes, one bit of one operand at a time,
// following docs/BITPLANES.md literally. It shares no code with the kernels.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "bitplane/kernels/bitserial.h"

namespace bitplane::kernels::reference {

/// A layer with everything unpacked; `shape.batch` pictures.
struct Layer {
  ConvShape shape;
  Encoding weight_encoding = Encoding::Unsigned, activation_encoding = Encoding::Unsigned;
  Combination combination = Combination::UniformBoth;
  std::size_t weight_planes = 1, activation_planes = 1;
  std::vector<std::uint16_t> weights;     // codes [out][kernel row][kernel column][channel of the group]
  std::vector<std::uint8_t> activations;  // codes [picture][row][column][channel]
  std::vector<std::int32_t> weight_multiples, activation_multiples;
  std::vector<float> weight_basis;  // [plane][out]
  std::vector<float> activation_basis;
  std::vector<float> weight_offset;  // [out] or empty
  float activation_offset = 0.0F;

  [[nodiscard]] bool learned_weights() const {
    return combination == Combination::LearnedWeights || combination == Combination::LearnedBoth;
  }
  [[nodiscard]] bool learned_activations() const {
    return combination == Combination::LearnedActivations || combination == Combination::LearnedBoth;
  }
};

/// Everything countable about one output: D_ij, S_j, R_i as the encodings read the bits, and K, over the taps
/// inside.
struct Sums {
  std::int64_t d[kMaxPlanes][kMaxActivationPlanes] = {};
  std::int64_t s[kMaxActivationPlanes] = {};
  std::int64_t r[kMaxPlanes] = {};
  std::int64_t k = 0;
};

inline int read_bit(unsigned code, std::size_t plane, Encoding encoding) {
  const int bit = static_cast<int>((code >> plane) & 1U);
  return encoding == Encoding::Bipolar ? 2 * bit - 1 : bit;
}

struct OutputAt {
  std::size_t picture, y, x, channel;
};

inline Sums sums_at(const Layer& layer, const OutputAt& at) {
  const ConvShape& s = layer.shape;
  const std::size_t group_in = s.channels / s.groups, group = at.channel / (s.out_channels / s.groups);
  Sums sums;
  for (std::size_t ky = 0; ky < s.kernel_h; ++ky) {
    for (std::size_t kx = 0; kx < s.kernel_w; ++kx) {
      const auto iy = static_cast<std::int64_t>(at.y * s.stride_h + ky * s.dilation_h) -
                      static_cast<std::int64_t>(s.pad_h);
      const auto ix = static_cast<std::int64_t>(at.x * s.stride_w + kx * s.dilation_w) -
                      static_cast<std::int64_t>(s.pad_w);
      if (iy < 0 || ix < 0 || iy >= static_cast<std::int64_t>(s.height) ||
          ix >= static_cast<std::int64_t>(s.width))
        continue;
      for (std::size_t c = 0; c < group_in; ++c) {
        const unsigned w = layer.weights[((at.channel * s.kernel_h + ky) * s.kernel_w + kx) * group_in + c];
        const std::size_t pixel =
            (at.picture * s.height + static_cast<std::size_t>(iy)) * s.width + static_cast<std::size_t>(ix);
        const unsigned a = layer.activations[pixel * s.channels + group * group_in + c];
        ++sums.k;
        for (std::size_t i = 0; i < layer.weight_planes; ++i) {
          const int wi = read_bit(w, i, layer.weight_encoding);
          sums.r[i] += wi;
          for (std::size_t j = 0; j < layer.activation_planes; ++j)
            sums.d[i][j] += wi * read_bit(a, j, layer.activation_encoding);
        }
        for (std::size_t j = 0; j < layer.activation_planes; ++j)
          sums.s[j] += read_bit(a, j, layer.activation_encoding);
      }
    }
  }
  return sums;
}

/// A of two uniform sides.
inline std::int64_t integer_of(const Layer& layer, const Sums& sums) {
  std::int64_t a = 0;
  for (std::size_t i = 0; i < layer.weight_planes; ++i) {
    for (std::size_t j = 0; j < layer.activation_planes; ++j) {
      a += std::int64_t{layer.weight_multiples[i]} * layer.activation_multiples[j] * sums.d[i][j];
    }
  }
  return a;
}

inline float linear_of(const Layer& layer, const Sums& sums, std::size_t channel) {
  const auto v = [&](std::size_t i) { return layer.weight_basis[i * layer.shape.out_channels + channel]; };
  float z = 0.0F;
  switch (layer.combination) {
    case Combination::UniformBoth:
      z = static_cast<float>(integer_of(layer, sums));
      break;
    case Combination::LearnedWeights:
      for (std::size_t i = 0; i < layer.weight_planes; ++i) {
        std::int64_t sum = 0;
        for (std::size_t j = 0; j < layer.activation_planes; ++j)
          sum += layer.activation_multiples[j] * sums.d[i][j];
        z = std::fma(v(i), static_cast<float>(sum), z);
      }
      break;
    case Combination::LearnedActivations:
      for (std::size_t j = 0; j < layer.activation_planes; ++j) {
        std::int64_t sum = 0;
        for (std::size_t i = 0; i < layer.weight_planes; ++i) sum += layer.weight_multiples[i] * sums.d[i][j];
        z = std::fma(layer.activation_basis[j], static_cast<float>(sum), z);
      }
      break;
    case Combination::LearnedBoth:
      for (std::size_t j = 0; j < layer.activation_planes; ++j) {
        for (std::size_t i = 0; i < layer.weight_planes; ++i) {
          const float coefficient = v(i) * layer.activation_basis[j];
          z = std::fma(coefficient, static_cast<float>(sums.d[i][j]), z);
        }
      }
      break;
  }
  return z;
}

inline float activation_sum_of(const Layer& layer, const Sums& sums) {
  float sa = 0.0F;
  if (layer.learned_activations()) {
    for (std::size_t j = 0; j < layer.activation_planes; ++j) {
      sa = std::fma(layer.activation_basis[j], static_cast<float>(sums.s[j]), sa);
    }
  } else {
    std::int64_t sum = 0;
    for (std::size_t j = 0; j < layer.activation_planes; ++j)
      sum += layer.activation_multiples[j] * sums.s[j];
    sa = static_cast<float>(sum);
  }
  if (layer.activation_offset != 0.0F) sa = std::fma(layer.activation_offset, static_cast<float>(sums.k), sa);
  return sa;
}

inline float weight_sum_of(const Layer& layer, const Sums& sums, std::size_t channel) {
  if (!layer.learned_weights()) {
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < layer.weight_planes; ++i) sum += layer.weight_multiples[i] * sums.r[i];
    return static_cast<float>(sum);
  }
  float sw = 0.0F;
  for (std::size_t i = 0; i < layer.weight_planes; ++i) {
    sw = std::fma(layer.weight_basis[i * layer.shape.out_channels + channel], static_cast<float>(sums.r[i]),
                  sw);
  }
  return sw;
}

/// z of one output, offsets included.
inline float z_at(const Layer& layer, const OutputAt& at) {
  const Sums sums = sums_at(layer, at);
  float z = linear_of(layer, sums, at.channel);
  if (!layer.weight_offset.empty())
    z = std::fma(layer.weight_offset[at.channel], activation_sum_of(layer, sums), z);
  if (layer.activation_offset != 0.0F)
    z = std::fma(layer.activation_offset, weight_sum_of(layer, sums, at.channel), z);
  return z;
}

/// Calls f(OutputAt) for every output in the order [picture][y][x][channel].
template <class F>
void for_outputs(const ConvShape& shape, F f) {
  for (std::size_t n = 0; n < shape.batch; ++n) {
    for (std::size_t y = 0; y < shape.out_height(); ++y) {
      for (std::size_t x = 0; x < shape.out_width(); ++x) {
        for (std::size_t c = 0; c < shape.out_channels; ++c) f(OutputAt{n, y, x, c});
      }
    }
  }
}

inline std::vector<float> z_of(const Layer& layer) {
  std::vector<float> z;
  for_outputs(layer.shape, [&](const OutputAt& at) { z.push_back(z_at(layer, at)); });
  return z;
}

inline std::vector<std::int32_t> integers_of(const Layer& layer) {
  std::vector<std::int32_t> integers;
  for_outputs(layer.shape, [&](const OutputAt& at) {
    integers.push_back(static_cast<std::int32_t>(integer_of(layer, sums_at(layer, at))));
  });
  return integers;
}

}  // namespace bitplane::kernels::reference
