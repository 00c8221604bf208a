// SPDX-License-Identifier: Apache-2.0
//
// The oracle of everything that is no product, no batch norm, no maximum and no quantizer: docs/BITPLANES.md,
// "Normative arithmetic", 7 and 9 to 16, one value at a time.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

#include "engine/reference/tensor.h"

namespace bitplane::engine::reference {

/// "One float addition": docs/BITPLANES.md, 11.
inline Tensor sum_of(const Tensor& a, const Tensor& b) {
  Tensor out;
  out.map = a.map;
  for (std::size_t i = 0; i < a.values.size(); ++i) out.values.push_back(a.values[i] + b.values[i]);
  return out;
}

inline Tensor concatenated(const std::vector<const Tensor*>& parts) {
  Tensor out;
  out.map = parts.front()->map;
  out.map.channels = 0;
  for (const Tensor* part : parts) out.map.channels += part->map.channels;
  for (std::size_t p = 0; p < out.map.height * out.map.width; ++p) {
    for (const Tensor* part : parts) {
      for (std::size_t c = 0; c < part->map.channels; ++c)
        out.values.push_back(part->values[p * part->map.channels + c]);
    }
  }
  return out;
}

/// What happens when a softmax or a power needs them: written from the page once more.
inline double exp_of(double x) {
  if (std::isnan(x)) return x;
  if (x > 709.8) return HUGE_VAL;
  if (x < -745.2) return 0.0;
  const double n = (x * 0x1.71547652b82fep+0 + 0x1.8p52) - 0x1.8p52;
  const double high = std::fma(-n, 0x1.62e42feep-1, x), low = n * 0x1.a39ef35793c76p-33;
  const double r = high - low;
  double factorial = 6227020800.0, p = 1.0 / factorial;  // 13!
  for (int i = 13; i > 2; --i) {
    factorial /= i;
    p = std::fma(p, r, 1.0 / factorial);
  }
  const double tail = std::fma(r * r, p, (high - r) - low);
  const auto whole = static_cast<int>(n);
  return std::ldexp(std::ldexp(1.0 + (r + tail), whole / 2), whole - whole / 2);
}

inline double log_of(double x) {
  if (!std::isfinite(x)) return x;
  int e = 0;
  double m = std::frexp(x, &e);  // 0.5 <= m < 1
  if (m < 0x1.6a09e667f3bcdp-1) m *= 2.0, e -= 1;
  const double f = m - 1.0, s = f / (2.0 + f), z = s * s, half = 0.5 * f * f;
  double p = 2.0 / 23;
  for (int i = 21; i > 2; i -= 2) p = std::fma(p, z, 2.0 / i);
  const double rest = s * std::fma(z, p, half);
  return std::fma(static_cast<double>(e), 0x1.62e42feep-1, f - (half - (rest + e * 0x1.a39ef35793c76p-33)));
}

/// The values at those positions that lie inside the map, row-major; `padding` counts the others that lie
/// within `pad_h` and `pad_w` of it.
struct Neighbours {
  std::vector<float> values;
  std::size_t padding = 0;
};

struct Reach {
  std::size_t height = 1, width = 1, pad_h = 0, pad_w = 0;
};

inline Neighbours neighbours(const Tensor& in, std::size_t top, std::size_t left, std::size_t channel,
                             const Reach& reach) {
  Neighbours found;
  for (std::size_t i = 0; i < reach.height; ++i) {
    for (std::size_t j = 0; j < reach.width; ++j) {
      const std::size_t y = top + i - reach.pad_h, x = left + j - reach.pad_w;  // wraps to huge outside
      if (y < in.map.height && x < in.map.width) {
        found.values.push_back(in.values[(y * in.map.width + x) * in.map.channels + channel]);
      } else if (top + i < in.map.height + 2 * reach.pad_h && left + j < in.map.width + 2 * reach.pad_w) {
        ++found.padding;
      }
    }
  }
  return found;
}

inline float mean_of(const Neighbours& window, bool padding_counts) {
  float sum = 0.0F;
  for (const float v : window.values) sum += v;
  return sum / static_cast<float>(window.values.size() + (padding_counts ? window.padding : 0));
}

inline std::size_t window_count(std::size_t size, std::size_t pad, std::size_t kernel, std::size_t stride,
                                PoolRounding rounding) {
  std::size_t count = 0;
  for (std::size_t start = 0; start < size + pad; start += stride) {
    const bool whole = start + kernel <= size + 2 * pad;
    const bool begun = start == 0 || start - stride + kernel < size + 2 * pad;
    count += whole || (rounding == PoolRounding::Ceil && begun) ? 1 : 0;
  }
  return count;
}

inline Tensor average_pool(const Tensor& in, const AveragePool& pool) {
  Tensor out;
  out.map = {window_count(in.map.height, pool.pad_h, pool.kernel_h, pool.stride_h, pool.rounding),
             window_count(in.map.width, pool.pad_w, pool.kernel_w, pool.stride_w, pool.rounding),
             in.map.channels};
  const Reach reach{pool.kernel_h, pool.kernel_w, pool.pad_h, pool.pad_w};
  for (std::size_t y = 0; y < out.map.height; ++y) {
    for (std::size_t x = 0; x < out.map.width; ++x) {
      for (std::size_t c = 0; c < in.map.channels; ++c) {
        out.values.push_back(mean_of(neighbours(in, y * pool.stride_h, x * pool.stride_w, c, reach),
                                     pool.divisor == AverageDivisor::Padded));
      }
    }
  }
  return out;
}

inline Tensor shortcut(const Tensor& in, const ZeroChannelShortcut& op) {
  Tensor out;
  out.map = {(in.map.height + op.stride_h - 1) / op.stride_h, (in.map.width + op.stride_w - 1) / op.stride_w,
             op.front + in.map.channels + op.back};
  const Reach reach{op.stride_h, op.stride_w, 0, 0};
  for (std::size_t y = 0; y < out.map.height; ++y) {
    for (std::size_t x = 0; x < out.map.width; ++x) {
      out.values.insert(out.values.end(), op.front, 0.0F);
      for (std::size_t c = 0; c < in.map.channels; ++c) {
        const Neighbours window = neighbours(in, y * op.stride_h, x * op.stride_w, c, reach);
        out.values.push_back(op.sampling == ShortcutSampling::Average ? mean_of(window, false)
                                                                      : window.values.front());
      }
      out.values.insert(out.values.end(), op.back, 0.0F);
    }
  }
  return out;
}

inline Tensor local_response(const Tensor& in, const LocalResponseNorm& op) {
  Tensor out;
  out.map = in.map;
  const std::size_t half = op.size / 2, n = in.map.channels;
  const bool across = op.scope == NormScope::AcrossChannels;
  const double scale =
      static_cast<double>(op.alpha) / static_cast<double>(across ? op.size : op.size * op.size);
  for (std::size_t i = 0; i < in.values.size(); ++i) {
    const std::size_t c = i % n, x = i / n % in.map.width, y = i / n / in.map.width;
    std::vector<float> near;
    for (std::size_t o = 0; across && o < op.size; ++o) {
      if (c + o - half < n) near.push_back(in.values[i + o - half]);
    }
    if (!across) near = neighbours(in, y, x, c, {op.size, op.size, half, half}).values;
    double squares = 0.0;
    for (const float v : near) squares += static_cast<double>(v) * static_cast<double>(v);
    const double s = static_cast<double>(op.k) + scale * squares;
    const double power = op.beta == 0.75F ? 1.0 / (std::sqrt(s) * std::sqrt(std::sqrt(s)))
                                          : exp_of(-static_cast<double>(op.beta) * log_of(s));
    out.values.push_back(static_cast<float>(static_cast<double>(in.values[i]) * power));
  }
  return out;
}

inline Tensor softmax(const Tensor& in) {
  Tensor out;
  out.map = in.map;
  const std::size_t n = in.map.channels;
  for (std::size_t p = 0; p < in.values.size(); p += n) {
    double largest = -HUGE_VAL, sum = 0.0;
    for (std::size_t c = 0; c < n; ++c) largest = std::fmax(largest, static_cast<double>(in.values[p + c]));
    std::vector<double> e;
    for (std::size_t c = 0; c < n; ++c) e.push_back(exp_of(static_cast<double>(in.values[p + c]) - largest));
    for (const double v : e) sum += v;
    for (const double v : e) out.values.push_back(static_cast<float>(v / sum));
  }
  return out;
}

inline Tensor global_average(const Tensor& in) {
  Tensor out;
  out.map = {1, 1, in.map.channels};
  const std::size_t pixels = in.map.height * in.map.width;
  for (std::size_t c = 0; c < in.map.channels; ++c) {
    float sum = 0.0F;
    for (std::size_t p = 0; p < pixels; ++p) sum += in.values[p * in.map.channels + c];
    out.values.push_back(sum / static_cast<float>(pixels));
  }
  return out;
}

/// A codes' map keeps its shape for the linear layer, whose kernel it is.
inline Tensor flattened(const Tensor& in) {
  Tensor out = in;
  out.z.clear();
  if (in.codes.empty()) out.map = {1, 1, in.map.size()};
  return out;
}

inline Tensor rectified(const Tensor& in) {
  Tensor out;
  out.map = in.map;
  for (const float x : in.values) out.values.push_back(x > 0.0F ? x : 0.0F);
  return out;
}

}  // namespace bitplane::engine::reference
