// SPDX-License-Identifier: Apache-2.0
#include "engine/data/resample.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bitplane::engine::data {
namespace {

/// What one output position takes from a line of the source.
struct Taps {
  std::size_t first = 0;
  std::vector<float> weights;  ///< sum 1
};

/// A line of `length` pixels, of which [begin, begin + extent) becomes `outputs` pixels.
std::vector<Taps> make_taps(std::size_t length, double begin, double extent, std::size_t outputs) {
  const double scale = extent / static_cast<double>(outputs), reach = std::max(scale, 1.0);
  const auto last_pixel = static_cast<double>(length - 1);
  std::vector<Taps> all(outputs);
  for (std::size_t o = 0; o < outputs; ++o) {
    const double center = begin + (static_cast<double>(o) + 0.5) * scale - 0.5;
    const auto first = static_cast<std::size_t>(std::clamp(std::ceil(center - reach), 0.0, last_pixel));
    const auto last = static_cast<std::size_t>(std::clamp(std::floor(center + reach), 0.0, last_pixel));
    std::vector<double> weights;
    double sum = 0.0;
    for (std::size_t i = first; i <= last; ++i) {
      weights.push_back(std::max(0.0, 1.0 - std::fabs(static_cast<double>(i) - center) / reach));
      sum += weights.back();
    }
    if (sum <= 0.0) {  // outside the line by rounding: the nearest pixel
      weights.front() = 1.0;
      sum = 1.0;
    }
    all[o].first = first;
    for (const double weight : weights) all[o].weights.push_back(static_cast<float>(weight / sum));
  }
  return all;
}

/// The shape of one pass: lines[outer][length][inner] -> [outer][outputs][inner].
struct Pass {
  std::size_t outer, length, inner;
};

std::vector<float> apply(const std::vector<float>& source, const Pass& pass, const std::vector<Taps>& taps) {
  std::vector<float> result(pass.outer * taps.size() * pass.inner, 0.0F);
  float* out = result.data();
  for (std::size_t outer = 0; outer < pass.outer; ++outer) {
    for (const Taps& tap : taps) {
      for (std::size_t k = 0; k < tap.weights.size(); ++k) {
        const float* in = source.data() + (outer * pass.length + tap.first + k) * pass.inner;
        for (std::size_t i = 0; i < pass.inner; ++i) out[i] += tap.weights[k] * in[i];
      }
      out += pass.inner;
    }
  }
  return result;
}

}  // namespace

Window middle(const Picture& picture, double height, double width) noexcept {
  return {.top = (static_cast<double>(picture.height) - height) / 2.0,
          .left = (static_cast<double>(picture.width) - width) / 2.0,
          .height = height,
          .width = width};
}

Picture resample(const Picture& picture, const Window& window, std::size_t height, std::size_t width) {
  const auto columns = make_taps(picture.width, window.left, window.width, width);
  auto rows = make_taps(picture.height, window.top, window.height, height);
  // Rows that no output takes from are not scaled.
  std::size_t first = picture.height, last = 0;
  for (const Taps& tap : rows) {
    first = std::min(first, tap.first);
    last = std::max(last, tap.first + tap.weights.size());
  }
  for (Taps& tap : rows) tap.first -= first;
  const std::size_t line = picture.width * picture.channels;
  const auto begin = picture.pixels.begin();
  std::vector<float> values(begin + static_cast<std::ptrdiff_t>(first * line),
                            begin + static_cast<std::ptrdiff_t>(last * line));
  values = apply(values, {last - first, picture.width, picture.channels}, columns);
  values = apply(values, {1, last - first, width * picture.channels}, rows);
  Picture result{height, width, picture.channels, {}};
  result.pixels.reserve(values.size());
  for (const float value : values) {
    result.pixels.push_back(static_cast<std::uint8_t>(std::clamp(value + 0.5F, 0.0F, 255.0F)));
  }
  return result;
}

}  // namespace bitplane::engine::data
