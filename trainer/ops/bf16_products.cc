// SPDX-License-Identifier: Apache-2.0
#include "trainer/ops/bf16_products.h"

#include <algorithm>

#include "trainer/ops/conv_products.h"
#include "trainer/tensor/tensor.h"

namespace bitplane::train {
namespace {

using kernels::Bf16Order;
using kernels::ConvShape;

constexpr std::size_t kLeastBf16Channels = 16;

/// Products by whole pictures, or by some rows where there is only one.
void bf16_convolve(Backend& backend, Bf16Plan& plan, const float* x, float* y) {
  constexpr std::size_t kPixelsOfLonePicture = 64;
  const ConvShape& s = plan.conv.shape();
  const std::size_t some_rows = (kPixelsOfLonePicture + s.out_width() - 1) / s.out_width();
  const std::size_t grain = s.batch > 1 ? s.out_height() : some_rows;
  const std::size_t row_floats = s.out_width() * s.out_channels, bytes = plan.conv.forward_scratch_bytes();
  backend.threads().parallel_ranges(s.batch * s.out_height(), grain,
                                    [&](std::size_t begin, std::size_t end, std::size_t runner) {
                                      plan.conv.forward(x, plan.weights.data(), y + begin * row_floats,
                                                        {begin, end}, backend.bf16()->scratch(runner, bytes));
                                    });
}

/// [kh][kw][out][in]: the filters turned by 180 degrees, in and out swapped.
Tensor turned_filters(const ConvShape& s, const float* weights) {
  Tensor turned({s.taps(), s.out_channels, s.channels});
  float* to = turned.mutable_data();
  for (std::size_t tap = s.taps(); tap-- > 0;) {
    for (std::size_t o = 0; o < s.out_channels; ++o, to += s.channels)
      std::copy_n(weights + (o * s.taps() + tap) * s.channels, s.channels, to);
  }
  return turned;
}

/// The padding that a data gradient without stride has; none if the picture must be spread out first.
bool is_plain(const ConvShape& s) {
  return s.stride_h == 1 && s.stride_w == 1 && s.pad_h <= s.dilation_h * (s.kernel_h - 1) &&
         s.pad_w <= s.dilation_w * (s.kernel_w - 1);
}

/// dy with stride - 1 zeros between its pixels, inside the frame that a convolution without padding turns
/// into exactly the input's size. Works for any stride, padding and leftover rows.
Tensor spread_out(Backend& backend, const ConvShape& s, const float* dy) {
  const std::size_t frame_h = s.dilation_h * (s.kernel_h - 1), frame_w = s.dilation_w * (s.kernel_w - 1);
  const std::size_t height = s.height + frame_h, width = s.width + frame_w, channels = s.out_channels;
  Tensor wide({s.batch, height, width, channels});
  float* pictures = wide.mutable_data();
  backend.threads().parallel_for(s.batch, [&](std::size_t n, std::size_t) {
    float* picture = pictures + n * height * width * channels;
    std::fill_n(picture, height * width * channels, 0.0F);
    const float* from = dy + n * s.out_height() * s.out_width() * channels;
    for (std::size_t y = 0; y < s.out_height(); ++y) {
      for (std::size_t x = 0; x < s.out_width(); ++x, from += channels) {
        const std::size_t to_y = y * s.stride_h + frame_h, to_x = x * s.stride_w + frame_w;
        // In the padding beyond the frame a gradient reaches no pixel of the input.
        if (to_y < s.pad_h || to_x < s.pad_w || to_y - s.pad_h >= height || to_x - s.pad_w >= width) continue;
        std::copy_n(from, channels, picture + ((to_y - s.pad_h) * width + to_x - s.pad_w) * channels);
      }
    }
  });
  return wide;
}

}  // namespace

bool takes_bf16(const Backend& backend, const ConvShape& shape, Rounding rounding) {
  return backend.bf16() != nullptr && rounding == Rounding::Allowed && shape.groups == 1 &&
         shape.channels >= kLeastBf16Channels && shape.out_channels >= kLeastBf16Channels;
}

void bf16_forward_product(Backend& backend, const ConvShape& s, const float* x, const float* weights,
                          float* y) {
  Bf16Plan& plan = backend.bf16()->of(s);
  plan.conv.pack_weights(weights, Bf16Order::ColumnMajor, plan.weights.data());
  bf16_convolve(backend, plan, x, y);
}

void bf16_data_gradient_product(Backend& backend, const ConvShape& s, const float* dy, const float* weights,
                                float* dx) {
  const std::size_t frame_h = s.dilation_h * (s.kernel_h - 1), frame_w = s.dilation_w * (s.kernel_w - 1);
  ConvShape turned{.batch = s.batch,
                   .height = s.height + frame_h,
                   .width = s.width + frame_w,
                   .channels = s.out_channels,
                   .out_channels = s.channels,
                   .kernel_h = s.kernel_h,
                   .kernel_w = s.kernel_w,
                   .dilation_h = s.dilation_h,
                   .dilation_w = s.dilation_w};
  if (is_plain(s)) {
    turned.height = s.out_height();
    turned.width = s.out_width();
    turned.pad_h = frame_h - s.pad_h;
    turned.pad_w = frame_w - s.pad_w;
  }
  Bf16Plan& plan = backend.bf16()->of(turned);
  const Tensor filters = turned_filters(s, weights);
  plan.conv.pack_weights(filters.data(), Bf16Order::StepMajor, plan.weights.data());
  if (is_plain(s)) return bf16_convolve(backend, plan, dy, dx);
  const Tensor wide = spread_out(backend, s, dy);
  bf16_convolve(backend, plan, wide.data(), dx);
}

void bf16_weight_gradient_product(Backend& backend, const ConvShape& s, const float* x, const float* dy,
                                  float* dw) {
  const kernels::Bf16Conv& conv = backend.bf16()->of(s).conv;
  const std::size_t size = s.filter_size() * s.out_channels, bytes = conv.weight_gradient_scratch_bytes();
  const std::size_t blocks =
      std::max<std::size_t>(1, (s.batch + kConvGradientPictures - 1) / kConvGradientPictures);
  Tensor partial({blocks, size});
  float* sums = partial.mutable_data();
  backend.threads().parallel_for(blocks, [&](std::size_t block, std::size_t runner) {
    const std::size_t first = block * kConvGradientPictures;
    conv.weight_gradient(x, dy, sums + block * size, first, std::min(s.batch, first + kConvGradientPictures),
                         kernels::Accumulate::Overwrite, backend.bf16()->scratch(runner, bytes));
  });
  combine_gradient_blocks(backend, s, sums, blocks, dw);
}

}  // namespace bitplane::train
