// SPDX-License-Identifier: Apache-2.0
#include "trainer/ops/local_response_norm.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

#include "trainer/autograd/profile.h"
#include "trainer/math/transcendental.h"

namespace bitplane::train {
namespace {

struct ResponsePicture {
  std::size_t height, width, channels;
  [[nodiscard]] std::size_t size() const { return height * width * channels; }
};

struct Span {
  std::size_t begin, end;
};

Span around(std::size_t i, std::size_t half, std::size_t size) {
  return {i - std::min(i, half), std::min(size, i + half + 1)};
}

/// Sum of value(j) over the window of element (row, column, channel), j an offset in the picture. Windows are
/// symmetric, so the same sum serves forward and backward.
template <class Value>
double window_sum(const ResponsePicture& p, const ResponseNormOptions& o, std::size_t element,
                  const Value& value) {
  const std::size_t half = o.size / 2, channel = element % p.channels, pixel = element / p.channels;
  double sum = 0;
  if (o.window == ResponseWindow::AcrossChannels) {
    const Span channels = around(channel, half, p.channels);
    for (std::size_t c = channels.begin; c < channels.end; ++c) sum += value(element - channel + c);
    return sum;
  }
  const Span rows = around(pixel / p.width, half, p.height), columns = around(pixel % p.width, half, p.width);
  for (std::size_t r = rows.begin; r < rows.end; ++r) {
    for (std::size_t c = columns.begin; c < columns.end; ++c)
      sum += value((r * p.width + c) * p.channels + channel);
  }
  return sum;
}

double alpha_over_n(const ResponseNormOptions& o) {
  const auto size = static_cast<double>(o.size);
  return o.alpha / (o.window == ResponseWindow::AcrossChannels ? size : size * size);
}

/// s^-beta
double inverse_power(double s, double beta) {
  constexpr double kUsual = 0.75;
  if (beta != kUsual) return math::power(s, -beta);
  const double root = std::sqrt(s);
  return 1.0 / (root * std::sqrt(root));
}

/// What the backward pass reads.
struct SavedResponse {
  Tensor x, s, scale;  ///< scale = s^-beta
};

/// dx_i = dy_i scale_i - 2 alpha beta / n x_i sum over the window of (dy_j x_j scale_j / s_j).
Tensor response_gradient(Backend& backend, const ResponsePicture& p, const ResponseNormOptions& o,
                         const SavedResponse& saved, const Tensor& dy) {
  Tensor dx(dy.shape()), terms(dy.shape());
  float* out = dx.mutable_data();
  float* term = terms.mutable_data();
  const double factor = 2.0 * alpha_over_n(o) * o.beta;
  backend.threads().parallel_for(dy.shape().front(), [&](std::size_t n, std::size_t) {
    const std::size_t first = n * p.size();
    const float* x = saved.x.data() + first;
    const float* scale = saved.scale.data() + first;
    const float* gradient = dy.data() + first;
    const float* s = saved.s.data() + first;
    float* t = term + first;
    for (std::size_t i = 0; i < p.size(); ++i) t[i] = gradient[i] * x[i] * scale[i] / s[i];
    for (std::size_t i = 0; i < p.size(); ++i) {
      const double sum = window_sum(p, o, i, [&](std::size_t j) { return static_cast<double>(t[j]); });
      out[first + i] = static_cast<float>(static_cast<double>(gradient[i]) * static_cast<double>(scale[i]) -
                                          factor * static_cast<double>(x[i]) * sum);
    }
  });
  return dx;
}

}  // namespace

Variable local_response_norm(const Context& ctx, const Variable& x, const ResponseNormOptions& options) {
  const OpTimer timer(ctx, "local_response_norm");
  const Shape& shape = x.shape();
  if (shape.rank() != 4)
    throw std::invalid_argument("local response normalization of " + shape.str() + ": expected [n, h, w, c]");
  if (options.size % 2 == 0 || !(options.k > 0))
    throw std::invalid_argument("local response normalization needs an odd size and k > 0");
  const ResponsePicture picture{shape[1], shape[2], shape[3]};
  SavedResponse saved{x.value(), Tensor(shape), Tensor(shape)};
  Tensor y(shape);
  float* out = y.mutable_data();
  float* s_out = saved.s.mutable_data();
  float* scale_out = saved.scale.mutable_data();
  const double factor = alpha_over_n(options);
  ctx.backend.threads().parallel_for(shape[0], [&](std::size_t n, std::size_t) {
    const std::size_t first = n * picture.size();
    const float* in = saved.x.data() + first;
    for (std::size_t i = 0; i < picture.size(); ++i) {
      const double squares = window_sum(picture, options, i, [&](std::size_t j) {
        return static_cast<double>(in[j]) * static_cast<double>(in[j]);
      });
      const double s = options.k + factor * squares, scale = inverse_power(s, options.beta);
      s_out[first + i] = static_cast<float>(s);
      scale_out[first + i] = static_cast<float>(scale);
      out[first + i] = static_cast<float>(static_cast<double>(in[i]) * scale);
    }
  });
  return record(
      ctx, "local_response_norm", std::move(y), {x},
      [&backend = ctx.backend, picture, options, saved = std::move(saved)](const Tensor& dy) -> Gradients {
        return {response_gradient(backend, picture, options, saved, dy)};
      });
}

}  // namespace bitplane::train
