// SPDX-License-Identifier: Apache-2.0
//
// docs/BITPLANES.md, "Normative arithmetic", word by word, on unpacked codes, one picture at a time. It
// shares no code with the engine's lowering or kernels: it is their oracle. Slow on purpose.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "bitplane/model_spec.h"
#include "engine/reference/float_steps.h"
#include "engine/reference/tensor.h"

namespace bitplane::engine::reference {

/// Geometry and weights of a conv2d or linear.
struct Layer {
  Conv2d conv;  ///< linear: a kernel as large as the map
  const Weights* weights = nullptr;
};

inline Layer layer_of(const Operation& op, const Map& in) {
  if (const auto* conv = std::get_if<Conv2d>(&op)) return {*conv, &conv->weights};
  const auto& linear = std::get<Linear>(op);
  Conv2d conv;
  conv.out_channels = linear.out_features;
  conv.kernel_h = in.height;
  conv.kernel_w = in.width;
  conv.bias = linear.bias;
  return {conv, &linear.weights};
}

/// One element of a window: where it is in the input and in the filter.
struct Tap {
  std::size_t input = 0, filter = 0;
};

/// The taps of output pixel (y, x), channel o, that lie inside the picture, in K-order.
inline std::vector<Tap> window(const Conv2d& conv, const Map& in, std::size_t y, std::size_t x,
                               std::size_t o) {
  const std::size_t per_group = in.channels / conv.groups;
  const std::size_t group = o / (conv.out_channels / conv.groups);
  std::vector<Tap> taps;
  for (std::size_t kh = 0; kh < conv.kernel_h; ++kh) {
    for (std::size_t kw = 0; kw < conv.kernel_w; ++kw) {
      const auto iy = static_cast<std::ptrdiff_t>(y * conv.stride_h + kh * conv.dilation_h) -
                      static_cast<std::ptrdiff_t>(conv.pad_h);
      const auto ix = static_cast<std::ptrdiff_t>(x * conv.stride_w + kw * conv.dilation_w) -
                      static_cast<std::ptrdiff_t>(conv.pad_w);
      if (iy < 0 || ix < 0 || iy >= static_cast<std::ptrdiff_t>(in.height)) continue;
      if (ix >= static_cast<std::ptrdiff_t>(in.width)) continue;
      const std::size_t pixel = static_cast<std::size_t>(iy) * in.width + static_cast<std::size_t>(ix);
      for (std::size_t c = 0; c < per_group; ++c) {
        taps.push_back(
            {pixel * in.channels + group * per_group + c, (kh * conv.kernel_w + kw) * per_group + c});
      }
    }
  }
  return taps;
}

inline std::int64_t read_bit(bool bit, PlaneEncoding encoding) {
  if (encoding == PlaneEncoding::Bipolar) return bit ? 1 : -1;
  return bit ? 1 : 0;
}

inline std::int64_t multiple(std::size_t plane, std::size_t planes, PlaneEncoding encoding) {
  const std::int64_t power = std::int64_t{1} << plane;
  return encoding == PlaneEncoding::TwosComplement && plane + 1 == planes ? -power : power;
}

inline double scale_of(const Basis& basis, std::size_t channel) {
  const auto* uniform = std::get_if<UniformBasis>(&basis);
  if (uniform == nullptr) return 1.0;
  return static_cast<double>(uniform->scale[uniform->scale.size() == 1 ? 0 : channel]);
}

/// One side of a product: its planes' integer multiples or learned factors.
struct Side {
  PlaneEncoding encoding;
  std::size_t planes;
  const Basis* basis;
  std::size_t channel, channels;  ///< which entry of a learned basis [planes][channels]

  [[nodiscard]] bool uniform() const { return std::holds_alternative<UniformBasis>(*basis); }
  [[nodiscard]] std::int64_t m(std::size_t plane) const { return multiple(plane, planes, encoding); }
  [[nodiscard]] float v(std::size_t plane) const {
    return std::get<LearnedBasis>(*basis).values[plane * channels + channel];
  }
  /// The value of plane sums: float(sum m_i s_i), or the chain of fma(v_i, float(s_i), .).
  [[nodiscard]] float combine(const std::vector<std::int64_t>& sums) const {
    if (uniform()) {
      std::int64_t total = 0;
      for (std::size_t i = 0; i < planes; ++i) total += m(i) * sums[i];
      return static_cast<float>(total);
    }
    float value = 0.0F;
    for (std::size_t i = 0; i < planes; ++i) value = std::fma(v(i), static_cast<float>(sums[i]), value);
    return value;
  }
};

inline float quantized_product(const Tensor& in, const PlaneWeights& weights, std::size_t o,
                               const std::vector<Tap>& taps) {
  const Side w{weights.encoding, weights.planes.planes, &weights.basis, o, weights.planes.rows};
  const Side a{in.quantizer->encoding, in.quantizer->bits, &in.quantizer->basis, 0, 1};
  const std::size_t row_words = (weights.planes.k + 63) / 64;
  std::vector<std::vector<std::int64_t>> d(w.planes, std::vector<std::int64_t>(a.planes, 0));
  std::vector<std::int64_t> sum_w(w.planes, 0), sum_a(a.planes, 0);
  for (const Tap& tap : taps) {
    for (std::size_t j = 0; j < a.planes; ++j)
      sum_a[j] += read_bit(((in.codes[tap.input] >> j) & 1) != 0, a.encoding);
    for (std::size_t i = 0; i < w.planes; ++i) {
      const std::uint64_t word =
          weights.planes.words[(i * weights.planes.rows + o) * row_words + tap.filter / 64];
      const std::int64_t bit = read_bit(((word >> (tap.filter % 64)) & 1) != 0, w.encoding);
      sum_w[i] += bit;
      for (std::size_t j = 0; j < a.planes; ++j) {
        d[i][j] += bit * read_bit(((in.codes[tap.input] >> j) & 1) != 0, a.encoding);
      }
    }
  }

  float z = 0.0F;
  if (w.uniform() && a.uniform()) {
    std::int64_t total = 0;
    for (std::size_t i = 0; i < w.planes; ++i) {
      for (std::size_t j = 0; j < a.planes; ++j) total += w.m(i) * a.m(j) * d[i][j];
    }
    z = static_cast<float>(static_cast<std::int32_t>(total));
  } else if (a.uniform()) {
    for (std::size_t i = 0; i < w.planes; ++i) {
      std::int64_t row = 0;
      for (std::size_t j = 0; j < a.planes; ++j) row += a.m(j) * d[i][j];
      z = std::fma(w.v(i), static_cast<float>(row), z);
    }
  } else if (w.uniform()) {
    for (std::size_t j = 0; j < a.planes; ++j) {
      std::int64_t column = 0;
      for (std::size_t i = 0; i < w.planes; ++i) column += w.m(i) * d[i][j];
      z = std::fma(a.v(j), static_cast<float>(column), z);
    }
  } else {
    for (std::size_t j = 0; j < a.planes; ++j) {
      for (std::size_t i = 0; i < w.planes; ++i)
        z = std::fma(w.v(i) * a.v(j), static_cast<float>(d[i][j]), z);
    }
  }

  const bool offset_a = in.quantizer->offset != 0.0F;
  const auto unit = [](float offset, double scale) {
    return static_cast<float>(static_cast<double>(offset) / scale);
  };
  const float o_a = offset_a ? unit(in.quantizer->offset, scale_of(*a.basis, 0)) : 0.0F;
  if (!weights.offset.empty()) {
    float sa = a.combine(sum_a);
    if (offset_a) sa = std::fma(o_a, static_cast<float>(taps.size()), sa);
    z = std::fma(unit(weights.offset[o], scale_of(*w.basis, o)), sa, z);
  }
  if (offset_a) z = std::fma(o_a, w.combine(sum_w), z);
  return z;
}

/// Weight `e` of row `o`: a float, or the level of its index.
inline float float_weight(const Weights& weights, std::size_t o, std::size_t k, std::size_t e) {
  if (const auto* floats = std::get_if<FloatWeights>(&weights)) return floats->values[o * k + e];
  const auto& book = std::get<CodebookWeights>(weights);
  const Planes& planes = book.indices;
  std::size_t index = 0;
  for (std::size_t p = 0; p < planes.planes; ++p) {
    const std::uint64_t word = planes.words[(p * planes.rows + o) * ((k + 63) / 64) + e / 64];
    index += ((word >> (e % 64)) & 1) << p;
  }
  const bool layer = book.scope == CodebookScope::Layer;
  return book.levels[layer ? index : o * (book.levels.size() / planes.rows) + index];
}

inline float float_product(const Tensor& in, const Weights& weights, std::size_t o, std::size_t k,
                           const std::vector<Tap>& taps) {
  float z = 0.0F;
  for (const Tap& tap : taps) z = std::fma(in.values[tap.input], float_weight(weights, o, k, tap.filter), z);
  return z;
}

inline Tensor convolve(const Tensor& in, const Layer& layer, bool linear) {
  const Conv2d& conv = layer.conv;
  const auto extent = [](std::size_t in_size, std::size_t pad, std::size_t dilation, std::size_t kernel,
                         std::size_t stride) {
    return (in_size + 2 * pad - (dilation * (kernel - 1) + 1)) / stride + 1;
  };
  Tensor out;
  out.map = {extent(in.map.height, conv.pad_h, conv.dilation_h, conv.kernel_h, conv.stride_h),
             extent(in.map.width, conv.pad_w, conv.dilation_w, conv.kernel_w, conv.stride_w),
             conv.out_channels};
  if (linear) out.map = {1, 1, conv.out_channels};
  const auto* planes = std::get_if<PlaneWeights>(layer.weights);
  const std::size_t k = conv.kernel_h * conv.kernel_w * in.map.channels / conv.groups;
  for (std::size_t y = 0; y < out.map.height; ++y) {
    for (std::size_t x = 0; x < out.map.width; ++x) {
      for (std::size_t o = 0; o < conv.out_channels; ++o) {
        const std::vector<Tap> taps = window(conv, in.map, y, x, o);
        out.z.push_back(planes != nullptr ? quantized_product(in, *planes, o, taps)
                                          : float_product(in, *layer.weights, o, k, taps));
      }
    }
  }
  for (std::size_t o = 0; o < conv.out_channels; ++o) {
    out.scale.push_back(planes == nullptr ? 1.0
                                          : scale_of(planes->basis, o) * scale_of(in.quantizer->basis, 0));
    out.bias.push_back(conv.bias.empty() ? 0.0 : static_cast<double>(conv.bias[o]));
  }
  return out;
}

/// The output of a convolution that no BN follows.
inline void finish_without_bn(Tensor& t) {
  for (std::size_t i = 0; i < t.z.size(); ++i) {
    const std::size_t c = i % t.map.channels;
    t.values.push_back(std::fma(t.z[i], static_cast<float>(t.scale[c]), static_cast<float>(t.bias[c])));
  }
}

inline Tensor batch_norm(const Tensor& in, const BatchNorm& bn) {
  Tensor out;
  out.map = in.map;
  const bool behind_convolution = !in.z.empty();
  const std::vector<float>& z = behind_convolution ? in.z : in.values;
  for (std::size_t i = 0; i < z.size(); ++i) {
    const std::size_t c = i % in.map.channels;
    const double gamma = bn.gamma.empty() ? 1.0 : static_cast<double>(bn.gamma[c]);
    const double beta = bn.beta.empty() ? 0.0 : static_cast<double>(bn.beta[c]);
    const double scale = behind_convolution ? in.scale[c] : 1.0;
    const double bias = behind_convolution ? in.bias[c] : 0.0;
    const double r = gamma / std::sqrt(static_cast<double>(bn.var[c]) + static_cast<double>(bn.epsilon));
    const auto g = static_cast<float>(r * scale);
    const auto h = static_cast<float>(beta + (bias - static_cast<double>(bn.mean[c])) * r);
    out.values.push_back(std::fma(z[i], g, h));
  }
  return out;
}

inline Tensor max_pool(const Tensor& in, const MaxPool& pool) {
  const auto extent = [&](std::size_t size, std::size_t pad, std::size_t kernel, std::size_t stride) {
    if (size + 2 * pad < kernel) return std::size_t{1};  // ceil mode only
    const std::size_t span = size + 2 * pad - kernel;
    if (pool.rounding == PoolRounding::Floor) return span / stride + 1;
    std::size_t out = (span + stride - 1) / stride + 1;
    if ((out - 1) * stride >= size + pad) --out;  // Caffe: the last window starts inside the picture
    return out;
  };
  Tensor out;
  out.map = {extent(in.map.height, pool.pad_h, pool.kernel_h, pool.stride_h),
             extent(in.map.width, pool.pad_w, pool.kernel_w, pool.stride_w), in.map.channels};
  out.scale = in.scale;
  out.bias = in.bias;
  const auto pooled = [&](const std::vector<float>& x) {
    std::vector<float> y;
    for (std::size_t oy = 0; oy < out.map.height; ++oy) {
      for (std::size_t ox = 0; ox < out.map.width; ++ox) {
        for (std::size_t c = 0; c < in.map.channels; ++c) {
          float best = -INFINITY;
          for (std::size_t kh = 0; kh < pool.kernel_h; ++kh) {
            for (std::size_t kw = 0; kw < pool.kernel_w; ++kw) {
              const std::size_t iy = oy * pool.stride_h + kh - pool.pad_h;  // wraps to huge outside
              const std::size_t ix = ox * pool.stride_w + kw - pool.pad_w;
              if (iy < in.map.height && ix < in.map.width) {
                best = std::fmax(best, x[(iy * in.map.width + ix) * in.map.channels + c]);
              }
            }
          }
          y.push_back(best);
        }
      }
    }
    return y;
  };
  if (!in.z.empty()) out.z = pooled(in.z);
  out.values = pooled(in.values);
  return out;
}

inline Tensor quantize(const Tensor& in, const Quantize& quantizer) {
  Tensor out;
  out.map = in.map;
  out.quantizer = &quantizer;
  for (const float x : in.values) {
    std::size_t rank = 0;
    for (const float t : quantizer.thresholds) rank += x > t ? 1 : 0;
    out.codes.push_back(quantizer.code_of_rank[rank]);
  }
  return out;
}

/// Item 17.
inline Tensor dequantize(const Tensor& in) {
  const Quantize& quantizer = *in.quantizer;
  const Side side{quantizer.encoding, quantizer.bits, &quantizer.basis, 0, 1};
  Tensor out;
  out.map = in.map;
  for (const std::uint8_t code : in.codes) {
    std::int64_t multiple = 0;
    float chain = 0.0F;
    for (std::size_t j = 0; j < side.planes; ++j) {
      const std::int64_t bit = read_bit(((code >> j) & 1) != 0, side.encoding);
      multiple += bit * side.m(j);
      if (!side.uniform() && bit != 0) chain += bit > 0 ? side.v(j) : -side.v(j);
    }
    out.values.push_back(side.uniform()
                             ? std::fma(static_cast<float>(multiple),
                                        std::get<UniformBasis>(quantizer.basis).scale[0], quantizer.offset)
                             : chain + quantizer.offset);
  }
  return out;
}

inline Tensor run_node(const std::vector<const Tensor*>& inputs, const Operation& op) {
  const Tensor& in = *inputs.front();
  if (std::holds_alternative<Conv2d>(op) || std::holds_alternative<Linear>(op)) {
    Tensor out = convolve(in, layer_of(op, in.map), std::holds_alternative<Linear>(op));
    finish_without_bn(out);
    return out;
  }
  if (const auto* bn = std::get_if<BatchNorm>(&op)) return batch_norm(in, *bn);
  if (const auto* pool = std::get_if<MaxPool>(&op)) return max_pool(in, *pool);
  if (const auto* pool = std::get_if<AveragePool>(&op)) return average_pool(in, *pool);
  if (const auto* quantizer = std::get_if<Quantize>(&op)) return quantize(in, *quantizer);
  if (std::holds_alternative<Dequantize>(op)) return dequantize(in);
  if (const auto* norm = std::get_if<LocalResponseNorm>(&op)) return local_response(in, *norm);
  if (const auto* zero = std::get_if<ZeroChannelShortcut>(&op)) return shortcut(in, *zero);
  if (std::holds_alternative<Add>(op)) return sum_of(in, *inputs.at(1));
  if (std::holds_alternative<Concat>(op)) return concatenated(inputs);
  if (std::holds_alternative<Softmax>(op)) return softmax(in);
  if (std::holds_alternative<Relu>(op)) return rectified(in);
  if (std::holds_alternative<GlobalAveragePool>(op)) return global_average(in);
  return std::holds_alternative<Flatten>(op) ? flattened(in) : in;  // Identity: in
}

/// Every node's result, by name; "input" is the picture.
using Results = std::map<std::string, Tensor>;

inline std::vector<const Tensor*> inputs_of(const Node& node, const Results& results) {
  std::vector<const Tensor*> inputs;
  for (const std::string& name : node.inputs) inputs.push_back(&results.at(name));
  return inputs;
}

inline Results interpret(const ModelSpec& spec, std::vector<float> input) {
  Results results;
  Tensor& picture = results["input"];
  picture.map = {spec.input.height, spec.input.width, spec.input.channels};
  picture.values = std::move(input);
  for (const Node& node : spec.nodes) results[node.name] = run_node(inputs_of(node, results), node.op);
  return results;
}

inline std::vector<float> preprocess(const InputSpec& input, std::span<const std::uint8_t> bytes) {
  std::vector<float> x;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::size_t c = i % input.channels;
    const auto mean = static_cast<double>(input.mean[c]), std = static_cast<double>(input.std[c]);
    const auto a = static_cast<float>(1.0 / (255.0 * std)), b = static_cast<float>(-mean / std);
    x.push_back(std::fma(static_cast<float>(bytes[i]), a, b));
  }
  return x;
}

}  // namespace bitplane::engine::reference
