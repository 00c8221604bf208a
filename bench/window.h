// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>

#include "bitplane/kernels/conv_shape.h"

namespace bitplane::bench {

/// Where element k of the filter meets the input [batch][h][w][c] at output pixel `pixel`, counted over the
/// batch; nothing in the padding. For references: no groups.
[[nodiscard]] inline std::optional<std::size_t> input_index(const kernels::ConvShape& s, std::size_t pixel,
                                                            std::size_t k) {
  const std::size_t tap = k / s.channels, row = pixel / s.out_width();
  const std::size_t y = row % s.out_height() * s.stride_h + tap / s.kernel_w * s.dilation_h;
  const std::size_t x = pixel % s.out_width() * s.stride_w + tap % s.kernel_w * s.dilation_w;
  if (y < s.pad_h || x < s.pad_w || y - s.pad_h >= s.height || x - s.pad_w >= s.width) return std::nullopt;
  const std::size_t picture = row / s.out_height();
  return ((picture * s.height + y - s.pad_h) * s.width + x - s.pad_w) * s.channels + k % s.channels;
}

/// An output in double precision, and the sum of its products' magnitudes.
struct DirectSum {
  double sum = 0, magnitude = 0;
};
/// x [batch][h][w][c], w [out][K]; output `at` of [pixel][out].
template <class X, class W>
[[nodiscard]] DirectSum direct_sum(const kernels::ConvShape& s, const X* x, const W* w, std::size_t at) {
  DirectSum direct;
  const W* filter = w + at % s.out_channels * s.filter_size();
  for (std::size_t k = 0; k < s.filter_size(); ++k) {
    const std::optional<std::size_t> from = input_index(s, at / s.out_channels, k);
    if (!from) continue;
    const double product = static_cast<double>(x[*from]) * static_cast<double>(filter[k]);
    direct.sum += product;
    direct.magnitude += product < 0 ? -product : product;
  }
  return direct;
}

/// Multiply-accumulates of the whole batch whose tap lies inside the picture: one with a padding zero is no
/// use, whether a kernel computes it or not. As many in each of the three products of training.
[[nodiscard]] inline double useful_macs(const kernels::ConvShape& s) {
  struct Direction {
    std::size_t extent, outputs, kernel, stride, pad, dilation;
  };
  const auto pairs_inside = [](const Direction& d) {
    std::size_t pairs = 0;
    for (std::size_t out = 0; out < d.outputs; ++out) {
      for (std::size_t tap = 0; tap < d.kernel; ++tap) {
        const std::size_t at = out * d.stride + tap * d.dilation;
        if (at >= d.pad && at - d.pad < d.extent) ++pairs;
      }
    }
    return pairs;
  };
  const std::size_t rows =
      pairs_inside({s.height, s.out_height(), s.kernel_h, s.stride_h, s.pad_h, s.dilation_h});
  const std::size_t columns =
      pairs_inside({s.width, s.out_width(), s.kernel_w, s.stride_w, s.pad_w, s.dilation_w});
  return static_cast<double>(s.batch * rows * columns * s.out_channels * (s.channels / s.groups));
}

}  // namespace bitplane::bench
