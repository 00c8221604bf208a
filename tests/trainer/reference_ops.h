// SPDX-License-Identifier: Apache-2.0
//
// Operations in double, from their definitions: what the gradient checks differentiate. They share no code
// with the trainer.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace bitplane::train::testing {

using Doubles = std::vector<double>;

struct ReferenceConv {
  std::size_t n, h, w, c, o, kernel, stride = 1, pad = 0, dilation = 1, groups = 1;
  [[nodiscard]] std::size_t out(std::size_t size) const {
    return (size + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1;
  }
};

inline Doubles reference_conv(const ReferenceConv& g, const Doubles& x, const Doubles& w,
                              const Doubles& bias) {
  const std::size_t oh = g.out(g.h), ow = g.out(g.w), ci = g.c / g.groups, co = g.o / g.groups;
  Doubles y;
  for (std::size_t n = 0; n < g.n; ++n)
    for (std::size_t i = 0; i < oh; ++i)
      for (std::size_t j = 0; j < ow; ++j)
        for (std::size_t o = 0; o < g.o; ++o) {
          double sum = bias.empty() ? 0.0 : bias[o];
          for (std::size_t a = 0; a < g.kernel; ++a)
            for (std::size_t b = 0; b < g.kernel; ++b)
              for (std::size_t c = 0; c < ci; ++c) {
                const std::size_t r = i * g.stride + a * g.dilation, s = j * g.stride + b * g.dilation;
                if (r < g.pad || s < g.pad || r - g.pad >= g.h || s - g.pad >= g.w) continue;
                sum += x[((n * g.h + r - g.pad) * g.w + s - g.pad) * g.c + o / co * ci + c] *
                       w[((o * g.kernel + a) * g.kernel + b) * ci + c];
              }
          y.push_back(sum);
        }
  return y;
}

/// Batch statistics; gamma and beta may be empty.
inline Doubles reference_batch_norm(std::size_t channels, const Doubles& x, const Doubles& gamma,
                                    const Doubles& beta) {
  const std::size_t rows = x.size() / channels;
  Doubles y(x.size());
  for (std::size_t c = 0; c < channels; ++c) {
    double mean = 0, var = 0;
    for (std::size_t r = 0; r < rows; ++r) mean += x[r * channels + c] / static_cast<double>(rows);
    for (std::size_t r = 0; r < rows; ++r)
      var += std::pow(x[r * channels + c] - mean, 2) / static_cast<double>(rows);
    for (std::size_t r = 0; r < rows; ++r) {
      const double normal = (x[r * channels + c] - mean) / std::sqrt(var + 1e-5);
      y[r * channels + c] = (gamma.empty() ? 1.0 : gamma[c]) * normal + (beta.empty() ? 0.0 : beta[c]);
    }
  }
  return y;
}

inline Doubles reference_clamp(Doubles x, double low, double high) {
  for (double& v : x) v = std::min(std::max(v, low), high);
  return x;
}

struct ReferencePool {
  std::size_t n, h, w, c, kernel, stride, pad, oh, ow;
};

/// Averages that count pixels of the padding, up to the padded picture's edge.
inline Doubles reference_padded_average(const ReferencePool& g, const Doubles& x) {
  Doubles y;
  for (std::size_t n = 0; n < g.n; ++n)
    for (std::size_t i = 0; i < g.oh; ++i)
      for (std::size_t j = 0; j < g.ow; ++j)
        for (std::size_t c = 0; c < g.c; ++c) {
          double sum = 0, counted = 0;
          for (std::size_t r = i * g.stride; r < i * g.stride + g.kernel; ++r)
            for (std::size_t s = j * g.stride; s < j * g.stride + g.kernel; ++s) {
              if (r >= g.h + 2 * g.pad || s >= g.w + 2 * g.pad) continue;
              counted += 1;
              if (r < g.pad || s < g.pad || r - g.pad >= g.h || s - g.pad >= g.w) continue;
              sum += x[((n * g.h + r - g.pad) * g.w + s - g.pad) * g.c + c];
            }
          y.push_back(sum / counted);
        }
  return y;
}

struct ReferenceResponse {
  std::size_t n, h, w, c, size;
  double alpha, beta, k;
  bool across;
};

inline Doubles reference_response_norm(const ReferenceResponse& g, const Doubles& x) {
  const auto half = static_cast<long>(g.size / 2);
  const auto h = static_cast<long>(g.h), w = static_cast<long>(g.w), channels = static_cast<long>(g.c);
  const double count = static_cast<double>(g.across ? g.size : g.size * g.size);
  Doubles y;
  for (std::size_t n = 0; n < g.n; ++n) {
    const auto at = [&](long i, long j, long c) {
      if (i < 0 || j < 0 || c < 0 || i >= h || j >= w || c >= channels) return 0.0;
      return x[n * g.h * g.w * g.c + static_cast<std::size_t>((i * w + j) * channels + c)];
    };
    for (long i = 0; i < h; ++i)
      for (long j = 0; j < w; ++j)
        for (long c = 0; c < channels; ++c) {
          double squares = 0;
          for (long a = -half; a <= half; ++a) {
            if (g.across) squares += std::pow(at(i, j, c + a), 2);
            for (long b = -half; !g.across && b <= half; ++b) squares += std::pow(at(i + a, j + b, c), 2);
          }
          y.push_back(at(i, j, c) * std::pow(g.k + g.alpha / count * squares, -g.beta));
        }
  }
  return y;
}

template <class Reduce>
Doubles reference_pool(const ReferencePool& g, const Doubles& x, const Reduce& reduce) {
  Doubles y;
  for (std::size_t n = 0; n < g.n; ++n)
    for (std::size_t i = 0; i < g.oh; ++i)
      for (std::size_t j = 0; j < g.ow; ++j)
        for (std::size_t c = 0; c < g.c; ++c) {
          Doubles window;
          for (std::size_t r = i * g.stride; r < i * g.stride + g.kernel; ++r)
            for (std::size_t s = j * g.stride; s < j * g.stride + g.kernel; ++s) {
              if (r < g.pad || s < g.pad || r - g.pad >= g.h || s - g.pad >= g.w) continue;
              window.push_back(x[((n * g.h + r - g.pad) * g.w + s - g.pad) * g.c + c]);
            }
          y.push_back(reduce(window));
        }
  return y;
}

inline double mean_of(const Doubles& v) {
  double sum = 0;
  for (const double x : v) sum += x;
  return sum / static_cast<double>(v.size());
}

struct ReferenceShortcut {
  std::size_t n, h, w, c, stride, front, back;
  bool average;
};

inline Doubles reference_shortcut(const ReferenceShortcut& g, const Doubles& x) {
  Doubles y;
  for (std::size_t n = 0; n < g.n; ++n)
    for (std::size_t i = 0; i < g.h; i += g.stride)
      for (std::size_t j = 0; j < g.w; j += g.stride)
        for (std::size_t k = 0; k < g.front + g.c + g.back; ++k) {
          Doubles window;
          const bool carried = k >= g.front && k < g.front + g.c;
          for (std::size_t r = i; carried && r < i + (g.average ? g.stride : 1); ++r)
            for (std::size_t s = j; s < j + (g.average ? g.stride : 1); ++s)
              if (r < g.h && s < g.w) window.push_back(x[((n * g.h + r) * g.w + s) * g.c + k - g.front]);
          y.push_back(carried ? mean_of(window) : 0.0);
        }
  return y;
}

inline double reference_cross_entropy(std::size_t classes, const Doubles& z,
                                      const std::vector<std::uint16_t>& labels, double smoothing = 0) {
  double loss = 0;
  const auto n = static_cast<double>(labels.size()), all = static_cast<double>(classes);
  for (std::size_t r = 0; r < labels.size(); ++r) {
    for (std::size_t label = 0; label < classes; ++label) {
      double sum = 0;
      for (std::size_t k = 0; k < classes; ++k) sum += std::exp(z[r * classes + k] - z[r * classes + label]);
      const double target = (label == labels[r] ? 1 - smoothing : 0) + smoothing / all;
      loss += target * std::log(sum) / n;
    }
  }
  return loss;
}

}  // namespace bitplane::train::testing
