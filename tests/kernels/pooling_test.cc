// SPDX-License-Identifier: Apache-2.0
#include "bitplane/kernels/pooling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "kernels/reference/random.h"

namespace bitplane::kernels {
namespace {

using reference::Random;

PoolShape random_pool_shape(Random& random) {
  PoolShape s;
  s.batch = random.between(1, 2);
  s.channels = random.coin() ? random.between(1, 37) : random.between(60, 140);
  s.kernel_h = random.between(1, 3);
  s.kernel_w = random.between(1, 3);
  s.stride_h = random.between(1, 3);
  s.stride_w = random.between(1, 3);
  s.pad_h = random.between(0, s.kernel_h - 1);
  s.pad_w = random.between(0, s.kernel_w - 1);
  s.height = s.kernel_h + random.between(0, 6);
  s.width = s.kernel_w + random.between(0, 6);
  // Ceil mode: the last window may hang over, but starts inside the picture or its left padding.
  const auto out = [&](std::size_t extent, std::size_t kernel, std::size_t stride, std::size_t pad) {
    std::size_t count = (extent + 2 * pad - kernel + (random.coin() ? stride - 1 : 0)) / stride + 1;
    while (count > 1 && (count - 1) * stride >= extent + pad) --count;
    return count;
  };
  s.out_height = out(s.height, s.kernel_h, s.stride_h, s.pad_h);
  s.out_width = out(s.width, s.kernel_w, s.stride_w, s.pad_w);
  return s;
}

/// The values of one window, padding left out.
template <class T>
std::vector<T> window_of(const PoolShape& s, const std::vector<T>& x, std::size_t out_at) {
  const std::size_t c = out_at % s.channels, pixel = out_at / s.channels;
  const std::size_t ox = pixel % s.out_width, oy = pixel / s.out_width % s.out_height,
                    n = pixel / s.out_width / s.out_height;
  std::vector<T> values;
  for (std::size_t ky = 0; ky < s.kernel_h; ++ky) {
    for (std::size_t kx = 0; kx < s.kernel_w; ++kx) {
      const std::size_t y = oy * s.stride_h + ky, at_x = ox * s.stride_w + kx;
      if (y < s.pad_h || at_x < s.pad_w || y - s.pad_h >= s.height || at_x - s.pad_w >= s.width) continue;
      values.push_back(x[((n * s.height + y - s.pad_h) * s.width + at_x - s.pad_w) * s.channels + c]);
    }
  }
  return values;
}

/// max_pool_f32, and the same row by row from a ring that holds no more rows than a window has.
void expect_maxima(const EpilogueKernels& kernels, const PoolShape& s, const std::vector<float>& x) {
  const std::size_t outputs = s.batch * s.out_height * s.out_width * s.channels;
  std::vector<float> y(outputs, 99.0F);
  max_pool_f32(kernels, s, x.data(), y.data());
  for (std::size_t at = 0; at < outputs; ++at) {
    float best = 0.0F;
    bool first = true;
    for (const float value : window_of(s, x, at)) {
      best = first || value > best ? value : best;
      first = false;
    }
    ASSERT_EQ(std::bit_cast<std::uint32_t>(y[at]), std::bit_cast<std::uint32_t>(best)) << at;
  }
  const std::size_t row_floats = s.width * s.channels, out_floats = s.out_width * s.channels;
  std::vector<float> ring(s.kernel_h * row_floats, 77.0F), row(out_floats);
  for (std::size_t out_y = 0; out_y < s.out_height; ++out_y) {
    const RowRange rows = pool_rows(s, out_y);
    for (std::size_t r = rows.begin; r < rows.end; ++r)
      std::copy_n(x.data() + r * row_floats, row_floats, ring.data() + r % s.kernel_h * row_floats);
    max_pool_row_f32(kernels, s, out_y, {ring.data(), s.kernel_h}, row.data());
    for (std::size_t i = 0; i < out_floats; ++i) {
      ASSERT_EQ(std::bit_cast<std::uint32_t>(row[i]), std::bit_cast<std::uint32_t>(y[out_y * out_floats + i]))
          << "row " << out_y;
    }
  }
}

TEST(Pooling, MaximumOfTheFloatsInsideThePicture) {
  for (const IsaInfo& isa : kIsas) {
    if (!detect_cpu().has(isa.isa)) continue;
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
      SCOPED_TRACE(std::string(isa.name) + ", seed " + std::to_string(seed));
      Random random(seed);
      const PoolShape s = random_pool_shape(random);
      std::vector<float> x(s.batch * s.height * s.width * s.channels);
      for (float& value : x) value = random.real() - 3.0F;  // all negative: padding must not win
      if (seed % 3 == 0) {  // the first of equal zeros, and what comparisons make of no number
        for (std::size_t i = 0; i < x.size(); i += 2) x[i] = random.coin() ? 0.0F : -0.0F;
        for (std::size_t i = 0; i < x.size(); i += 5) x[i] = std::numeric_limits<float>::quiet_NaN();
      }
      expect_maxima(select_epilogue(detect_cpu().limited_to(isa.isa)), s, x);
    }
  }
}

TEST(Pooling, ExtremeRankOfTheWindowInsideThePicture) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const PoolShape s = random_pool_shape(random);
    std::vector<std::uint8_t> ranks(s.batch * s.height * s.width * s.channels), minimum(s.channels);
    for (std::uint8_t& rank : ranks) rank = static_cast<std::uint8_t>(random.bits());
    for (std::uint8_t& flag : minimum) flag = random.coin() ? 1 : 0;
    const std::size_t outputs = s.batch * s.out_height * s.out_width * s.channels;
    std::vector<std::uint8_t> y_ranks(outputs, 0x99);
    max_pool_ranks(s, ranks.data(), minimum.data(), y_ranks.data());
    for (std::size_t at = 0; at < outputs; ++at) {
      const std::vector<std::uint8_t> of_ranks = window_of(s, ranks, at);
      ASSERT_EQ(y_ranks[at], minimum[at % s.channels] != 0
                                 ? *std::min_element(of_ranks.begin(), of_ranks.end())
                                 : *std::max_element(of_ranks.begin(), of_ranks.end()));
    }
  }
}

TEST(Pooling, GlobalAverageIsAChainOfAdditions) {
  for (const std::size_t channels : {1, 15, 16, 17, 64}) {
    SCOPED_TRACE("seed " + std::to_string(channels));
    Random random(channels);
    const std::size_t batch = 2, pixels = 49;
    std::vector<float> x(batch * pixels * channels), y(batch * channels, 5.0F);
    for (float& value : x) value = random.real();
    global_average_pool_f32(batch, pixels, channels, x.data(), y.data());
    for (std::size_t at = 0; at < y.size(); ++at) {
      float sum = 0.0F;
      for (std::size_t p = 0; p < pixels; ++p)
        sum += x[(at / channels * pixels + p) * channels + at % channels];
      ASSERT_EQ(y[at], sum / 49.0F);
    }
  }
}

TEST(Pooling, PreprocessingIsOneFma) {
  const std::vector<float> scale{0.013F, -1.7F, 3.3F}, shift{-0.4F, 0.1F, 7.0F};
  std::vector<std::uint8_t> u(256 * 3);
  for (std::size_t at = 0; at < u.size(); ++at) u[at] = static_cast<std::uint8_t>(at / 3);
  std::vector<float> x(u.size(), -1.0F);
  preprocess_u8(256, 3, u.data(), scale.data(), shift.data(), x.data());
  for (std::size_t at = 0; at < x.size(); ++at) {
    ASSERT_EQ(x[at], std::fma(static_cast<float>(at / 3), scale[at % 3], shift[at % 3]));
  }
}

}  // namespace
}  // namespace bitplane::kernels
