// SPDX-License-Identifier: Apache-2.0
//
// The float steps of an engine between convolutions that few nets have, so that they have one form for every
// ISA: baseline code, the same bits everywhere. NHWC. Normative: docs/BITPLANES.md, "Normative arithmetic",
// 11 to 17.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bitplane/kernels/conv_shape.h"
#include "bitplane/kernels/planes.h"
#include "bitplane/kernels/pooling.h"

namespace bitplane::kernels {

/// What the sum of a window is divided by: the number of its pixels inside the picture, or of its positions
/// inside the padded picture.
enum class AverageOver : std::uint8_t { Inside, Padded };

/// y = (chain of additions over the window's pixels inside the picture, row-major) / float(number).
void average_pool_f32(const PoolShape& shape, AverageOver over, const float* x, float* y) noexcept;

enum class Sampling : std::uint8_t { Average, First };

/// x [batch][height][width][channels] -> y [batch][ceil(height / stride_h)][ceil(width / stride_w)][front +
/// channels + back]: the mean (as average_pool_f32, Inside) or the first pixel of each stride_h x stride_w
/// window; the channels in front and behind are +0.
struct ZeroChannelShape {
  std::size_t batch = 1, height = 1, width = 1, channels = 1;
  std::size_t stride_h = 2, stride_w = 2, front = 0, back = 0;
  Sampling sampling = Sampling::Average;

  [[nodiscard]] constexpr std::size_t out_height() const noexcept { return (height - 1) / stride_h + 1; }
  [[nodiscard]] constexpr std::size_t out_width() const noexcept { return (width - 1) / stride_w + 1; }
  [[nodiscard]] constexpr std::size_t out_channels() const noexcept { return front + channels + back; }
};
void zero_channel_shortcut_f32(const ZeroChannelShape& shape, const float* x, float* y) noexcept;

/// y = float(x / s^beta), s = k + scale * (chain of additions of x * x over the neighbours inside the
/// picture), all in double. Neighbours: the channels c - size / 2 .. c + size / 2 of the pixel, or the size x
/// size pixels around it, row-major, of the channel. scale = alpha / number of neighbours.
struct LocalResponse {
  enum class Scope : std::uint8_t { Channels, Pixels };
  std::size_t batch = 1, height = 1, width = 1, channels = 1;
  Scope scope = Scope::Channels;
  std::size_t size = 5;  ///< odd
  double scale = 0.0, beta = 0.75, k = 1.0;
};
void local_response_norm_f32(const LocalResponse& norm, const float* x, float* y) noexcept;

/// y = levels[code] of picture rows [rows): y is [batch][height][width][channels] as a whole. `levels` has an
/// entry for every code of layout.planes bits.
void dequantize_codes(const PackedActivations& x, const float* levels, RowRange rows, float* y) noexcept;

/// Of each pixel's channels: e[c] = exp(double(x[c]) - double(largest x)); y[c] = float(e[c] / (chain of e)).
void softmax_f32(std::size_t pixels, std::size_t channels, const float* x, float* y) noexcept;

}  // namespace bitplane::kernels
