// SPDX-License-Identifier: Apache-2.0
//
// Small random networks that touch every way in which steps can meet. BN statistics are taken from the
// oracle's own z, so that ranks spread over all levels.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <string>
#include <vector>

#include "engine/reference/interpreter.h"

namespace bitplane::engine::reference {

class RandomGraph {
 public:
  explicit RandomGraph(std::uint32_t seed) : random_(seed) {
    spec_.nodes.reserve(256);  // results point at quantizers: nodes must not move
  }

  ModelSpec make() {
    begin({pick(3, 10), pick(3, 10), channels()});
    if (chance(0.85)) {
      convolution(false);
    } else if (chance(0.5)) {
      batch_norm();
    }
    const std::size_t layers = pick(1, 3);
    for (std::size_t l = 0; l < layers; ++l) {
      between();
      quantizer();
      if (chance(0.15)) {  // weights on what the codes stand for
        const bool flat = l + 1 == layers && chance(0.3);
        if (flat) add("flatten", Flatten{});
        add("values", Dequantize{});
        flat ? linear(false) : convolution(false);
      } else if (l + 1 == layers && chance(0.4)) {
        if (chance(0.9) || shape().height != 1 || shape().width != 1) add("flatten", Flatten{});
        linear(true);
      } else {
        convolution(true);
      }
    }
    head();
    return finish();
  }

  std::vector<std::uint8_t> bytes(std::size_t count) {
    std::vector<std::uint8_t> values(count);
    for (std::uint8_t& v : values) v = static_cast<std::uint8_t>(pick(0, 255));
    return values;
  }

 protected:
  void begin(const Map& map) {
    spec_.name = "random";
    spec_.input = {map.height, map.width, map.channels, {}, {}};
    for (std::size_t c = 0; c < spec_.input.channels; ++c) {
      spec_.input.mean.push_back(uniform(0.2F, 0.7F));
      spec_.input.std.push_back(uniform(0.2F, 0.6F));
    }
    results_[kInputName] = {map, preprocess(spec_.input, bytes(map.size())), {}, nullptr, {}, {}, {}};
  }
  ModelSpec finish() {
    spec_.output = cursor_;
    return std::move(spec_);
  }

  std::size_t pick(std::size_t low, std::size_t high) {
    return std::uniform_int_distribution<std::size_t>(low, high)(random_);
  }
  float uniform(float low, float high) { return std::uniform_real_distribution<float>(low, high)(random_); }
  float normal() { return std::normal_distribution<float>(0.0F, 1.0F)(random_); }
  bool chance(double p) { return std::bernoulli_distribution(p)(random_); }
  std::size_t channels() {
    static constexpr std::size_t kCounts[] = {1, 2, 3, 5, 7, 8, 12, 16, 17, 24, 31, 33, 40, 65};
    return kCounts[pick(0, std::size(kCounts) - 1)];
  }
  std::vector<float> normals(std::size_t count, float scale) {
    std::vector<float> values(count);
    for (float& v : values) v = normal() * scale;
    return values;
  }

  /// The value that the next node reads.
  [[nodiscard]] const std::string& cursor() const { return cursor_; }
  void go_to(const std::string& value) { cursor_ = value; }
  [[nodiscard]] const Tensor& last() const { return results_.at(cursor_); }
  [[nodiscard]] Map shape() const { return last().map; }
  void add(const std::string& name, Operation op) { join(name, {cursor_}, std::move(op)); }
  void join(const std::string& name, std::vector<std::string> inputs, Operation op) {
    cursor_ = name + std::to_string(spec_.nodes.size());
    spec_.nodes.push_back({cursor_, std::move(inputs), std::move(op)});
    const Node& node = spec_.nodes.back();
    results_[cursor_] = run_node(inputs_of(node, results_), node.op);
  }

  void batch_norm() {
    const Tensor& in = last();
    const std::vector<float>& z = in.z.empty() ? in.values : in.z;
    const std::size_t n = in.map.channels;
    BatchNorm bn;
    for (std::size_t c = 0; c < n; ++c) {
      double sum = 0.0, squares = 0.0;
      for (std::size_t i = c; i < z.size(); i += n) {
        const double real = static_cast<double>(z[i]) * (in.z.empty() ? 1.0 : in.scale[c]) +
                            (in.z.empty() ? 0.0 : in.bias[c]);
        sum += real;
        squares += real * real;
      }
      const double count = static_cast<double>(z.size() / n);
      bn.mean.push_back(static_cast<float>(sum / count));
      bn.var.push_back(static_cast<float>(std::max(squares / count - sum * sum / count / count, 1e-3)));
    }
    if (chance(0.8)) {
      bn.gamma = normals(n, 1.0F);
      bn.beta = normals(n, 0.5F);
      if (chance(0.5)) bn.gamma[pick(0, n - 1)] = 0.0F;
    }
    add("bn", bn);
  }

  void max_pool() {
    const Map in = shape();
    MaxPool pool;
    pool.kernel_h = pick(1, std::min<std::size_t>(3, in.height));
    pool.kernel_w = pick(1, std::min<std::size_t>(3, in.width));
    pool.stride_h = pick(1, 3);
    pool.stride_w = pick(1, 3);
    pool.pad_h = pick(0, pool.kernel_h - 1);
    pool.pad_w = pick(0, pool.kernel_w - 1);
    if (chance(0.5)) pool.rounding = PoolRounding::Ceil;
    add("pool", pool);
  }

  /// What may stand between a layer and the next quantizer.
  void between() {
    const bool pool_first = chance(0.3);
    if (pool_first) max_pool();
    if (chance(0.85)) batch_norm();
    if (!pool_first && chance(0.15)) max_pool();
    const auto flatten = [&] {
      if (shape().size() <= 400 && chance(0.15)) add("flatten", Flatten{});
    };
    flatten();
    if (chance(0.7)) add("relu", Relu{});
    flatten();
    if (chance(0.1)) batch_norm();
    if (chance(0.1)) max_pool();
  }

  Basis basis(std::size_t planes, std::size_t rows, bool learned) {
    if (!learned) {
      std::vector<float> scale(chance(0.5) ? rows : 1);
      for (float& s : scale) s = uniform(0.05F, 0.6F);
      return UniformBasis{std::move(scale)};
    }
    std::vector<float> values;
    for (std::size_t i = 0; i < planes * rows; ++i) {
      const auto power = static_cast<float>(std::size_t{1} << (i / rows));
      values.push_back(0.3F * power * uniform(0.6F, 1.4F) * (chance(0.1) ? -1.0F : 1.0F));
    }
    return LearnedBasis{std::move(values)};
  }

  PlaneEncoding encoding(bool learned) {
    const std::size_t e = pick(0, learned ? 1 : 2);
    return e == 0 ? PlaneEncoding::Unsigned : e == 1 ? PlaneEncoding::Bipolar : PlaneEncoding::TwosComplement;
  }

  void quantizer() {
    Quantize quantize;
    quantize.bits = chance(0.7) ? pick(1, 3) : pick(4, 8);
    const bool learned = chance(0.5);
    quantize.encoding = chance(0.5) ? PlaneEncoding::Unsigned : encoding(learned);
    quantize.basis = basis(quantize.bits, 1, learned);
    if (chance(0.2)) quantize.offset = uniform(-0.5F, 0.5F);
    const std::size_t levels = std::size_t{1} << quantize.bits;
    const std::vector<float>& x = last().values;
    for (std::size_t l = 1; l < levels; ++l) {
      // Half of the thresholds are values of the data themselves: the strict test must hold.
      quantize.thresholds.push_back(chance(0.5) ? x[pick(0, x.size() - 1)] : uniform(-1.5F, 2.0F));
    }
    std::sort(quantize.thresholds.begin(), quantize.thresholds.end());
    for (std::size_t l = 0; l < levels; ++l) quantize.code_of_rank.push_back(static_cast<std::uint8_t>(l));
    if (chance(0.5)) std::shuffle(quantize.code_of_rank.begin(), quantize.code_of_rank.end(), random_);
    add("quant", quantize);
  }

  Weights weights(std::size_t rows, std::size_t k, bool planes) {
    const float deviation = 1.0F / std::sqrt(static_cast<float>(k));
    if (!planes && chance(0.3)) return codebook(rows, k, deviation);
    if (!planes) return FloatWeights{normals(rows * k, deviation)};
    PlaneWeights w;
    const bool learned = chance(0.5);
    w.encoding = encoding(learned);
    w.planes = {chance(0.9) ? pick(1, 3) : pick(4, 6), rows, k, {}};
    const std::size_t words = (k + 63) / 64;
    for (std::size_t r = 0; r < w.planes.planes * rows; ++r) {
      for (std::size_t i = 0; i < words; ++i) {
        std::uint64_t word = std::uniform_int_distribution<std::uint64_t>()(random_);
        if (i + 1 == words && k % 64 != 0) word &= (std::uint64_t{1} << (k % 64)) - 1;
        w.planes.words.own().push_back(word);
      }
    }
    w.basis = basis(w.planes.planes, rows, learned);
    if (chance(0.3)) w.offset = normals(rows, 0.3F);
    return w;
  }

  CodebookWeights codebook(std::size_t rows, std::size_t k, float deviation) {
    static constexpr std::size_t kCounts[] = {2, 3, 4, 9, 16, 17, 255, 256};
    const std::size_t count = chance(0.02) ? 1 : kCounts[pick(0, std::size(kCounts) - 1)];
    CodebookWeights w;
    if (chance(0.5)) w.scope = CodebookScope::Channel;
    w.levels = normals(w.scope == CodebookScope::Channel ? rows * count : count, deviation);
    while (std::size_t{1} << w.indices.planes < count) ++w.indices.planes;
    w.indices.planes = std::max<std::size_t>(w.indices.planes, 1);
    w.indices.rows = rows;
    w.indices.k = k;
    const std::size_t words = (k + 63) / 64;
    w.indices.words.own().resize(w.indices.planes * rows * words);
    for (std::size_t e = 0; e < rows * k; ++e) {
      const std::uint64_t index = pick(0, count - 1);
      for (std::size_t p = 0; p < w.indices.planes; ++p) {
        w.indices.words[(p * rows + e / k) * words + e % k / 64] |= (index >> p & 1) << (e % k % 64);
      }
    }
    return w;
  }

  void convolution(bool planes) {
    const Map in = shape();
    Conv2d conv;
    if (chance(0.3)) {
      std::vector<std::size_t> divisors;
      for (std::size_t g = 1; g <= in.channels; ++g) {
        if (in.channels % g == 0) divisors.push_back(g);
      }
      conv.groups = divisors[pick(0, divisors.size() - 1)];
    }
    conv.out_channels = conv.groups == 1 ? channels() : conv.groups * pick(1, 3);
    conv.kernel_h = pick(1, std::min<std::size_t>(3, in.height));
    conv.kernel_w = pick(1, std::min<std::size_t>(3, in.width));
    conv.pad_h = pick(0, 2);
    conv.pad_w = pick(0, 2);
    conv.stride_h = pick(1, 2);
    conv.stride_w = pick(1, 2);
    if (chance(0.2) && (conv.kernel_h - 1) * 2 < in.height) conv.dilation_h = 2;
    if (chance(0.2) && (conv.kernel_w - 1) * 2 < in.width) conv.dilation_w = 2;
    conv.weights =
        weights(conv.out_channels, conv.kernel_h * conv.kernel_w * (in.channels / conv.groups), planes);
    if (chance(0.3)) conv.bias = normals(conv.out_channels, 0.3F);
    add("conv", conv);
  }

  void linear(bool planes) {
    Linear linear;
    linear.out_features = pick(1, 11);
    linear.weights = weights(linear.out_features, shape().size(), planes);
    if (chance(0.7)) linear.bias = normals(linear.out_features, 0.3F);
    add("linear", linear);
  }

  void head() {
    if (chance(0.3)) return;
    if (chance(0.6)) batch_norm();
    if (chance(0.6)) add("relu", Relu{});
    if (chance(0.5)) {
      add("gap", GlobalAveragePool{});
    } else {
      add("flatten", Flatten{});
    }
    if (chance(0.2)) batch_norm();
    if (chance(0.8)) linear(false);
  }

  inline static const std::string kInputName = "input";

  std::mt19937 random_;
  ModelSpec spec_;
  std::string cursor_ = kInputName;
  Results results_;
};

}  // namespace bitplane::engine::reference
