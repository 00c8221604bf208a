// SPDX-License-Identifier: Apache-2.0
//
// A small model that holds every operation, every kind of weights, every encoding and every optional part.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "bitplane/model_spec.h"

namespace bitplane::engine::testing {

class SampleMaker {
 public:
  std::vector<float> floats(std::size_t n, float low, float high) {
    std::uniform_real_distribution<float> uniform(low, high);
    std::vector<float> values(n);
    for (float& v : values) v = uniform(random_);
    return values;
  }

  PlaneWeights planes(PlaneEncoding encoding, std::size_t planes, std::size_t rows, std::size_t k) {
    PlaneWeights w;
    w.encoding = encoding;
    w.planes = {planes, rows, k, std::vector<std::uint64_t>(planes * rows * ((k + 63) / 64))};
    for (std::size_t row = 0; row < planes * rows; ++row) {
      for (std::size_t i = 0; i < k; ++i) {
        w.planes.words[row * ((k + 63) / 64) + i / 64] |= (random_() & 1U) << i % 64;
      }
    }
    return w;
  }

  CodebookWeights codebook(CodebookScope scope, std::size_t levels, std::size_t rows, std::size_t k) {
    CodebookWeights w;
    w.scope = scope;
    w.levels = floats(scope == CodebookScope::Channel ? rows * levels : levels, -1, 1);
    const auto planes = std::max<std::size_t>(static_cast<std::size_t>(std::bit_width(levels - 1)), 1);
    const std::size_t words = (k + 63) / 64;
    w.indices = {planes, rows, k, std::vector<std::uint64_t>(planes * rows * words)};
    for (std::size_t e = 0; e < rows * k; ++e) {
      const std::uint64_t index = random_() % levels;
      for (std::size_t p = 0; p < planes; ++p) {
        w.indices.words[(p * rows + e / k) * words + e % k / 64] |= (index >> p & 1U) << (e % k % 64);
      }
    }
    return w;
  }

  Quantize quantize(std::size_t bits, PlaneEncoding encoding, Basis basis) {
    Quantize q;
    q.bits = bits;
    q.encoding = encoding;
    q.basis = std::move(basis);
    for (std::size_t i = 1; i < std::size_t{1} << bits; ++i)
      q.thresholds.push_back(0.25F * static_cast<float>(i));
    q.code_of_rank.resize(std::size_t{1} << bits);
    std::iota(q.code_of_rank.begin(), q.code_of_rank.end(), std::uint8_t{0});
    std::swap(q.code_of_rank.front(), q.code_of_rank.back());
    return q;
  }

 private:
  std::mt19937_64 random_{42};
};

/// Appends an operation to the chain.
inline void append(ModelSpec& spec, std::string name, Operation op) {
  const std::string input = spec.nodes.empty() ? "input" : spec.nodes.back().name;
  spec.output = name;
  spec.nodes.push_back({std::move(name), {input}, std::move(op)});
}

/// What a file holds beside the graph.
inline void add_sample_description(ModelSpec& spec, SampleMaker& make) {
  spec.labels = {"shoe",
                 "\xC3\xA9"
                 "charpe",
                 ""};
  spec.provenance = {{"method", "lq-nets"}, {"note", "a \"quoted\" \\ word"}};
  spec.golden.input.resize(6 * 5 * 3);
  std::iota(spec.golden.input.begin(), spec.golden.input.end(), std::uint8_t{7});
  spec.golden.output = make.floats(3, -1, 1);
}

inline ModelSpec sample_model() {
  SampleMaker make;
  ModelSpec spec;
  spec.name = "sample";
  spec.input = {6, 5, 3, {0.5F, 0.25F, 0.125F}, {0.5F, 0.3F, 0.7F}};

  Conv2d first{
      .out_channels = 4, .kernel_h = 3, .kernel_w = 3, .pad_h = 1, .pad_w = 1, .weights = {}, .bias = {}};
  first.weights = FloatWeights{make.floats(4 * 27, -1, 1)};
  first.bias = make.floats(4, -1, 1);
  append(spec, "block1.conv", std::move(first));
  append(spec, "block1.bn",
         BatchNorm{make.floats(4, -1, 1), make.floats(4, 0, 1), make.floats(4, -1, 1), make.floats(4, -1, 1),
                   1e-5F});
  append(spec, "block1.relu", Relu{});
  append(spec, "block1.quantize", make.quantize(2, PlaneEncoding::Unsigned, LearnedBasis{{0.45F, 0.9F}}));

  Conv2d second{
      .out_channels = 6, .kernel_h = 3, .kernel_w = 3, .pad_h = 1, .pad_w = 1, .weights = {}, .bias = {}};
  PlaneWeights bipolar = make.planes(PlaneEncoding::Bipolar, 2, 6, 36);
  bipolar.basis = LearnedBasis{make.floats(12, -1, 1)};
  second.weights = std::move(bipolar);
  append(spec, "block2.conv", std::move(second));
  append(spec, "block2.pool", MaxPool{.rounding = PoolRounding::Ceil});  // 3x3x6
  append(spec, "block2.bn", BatchNorm{make.floats(6, -1, 1), make.floats(6, 0, 1), {}, {}, 1e-3F});
  Quantize signed_codes = make.quantize(3, PlaneEncoding::TwosComplement, UniformBasis{{0.5F}});
  signed_codes.offset = 0.25F;
  append(spec, "block2.quantize", std::move(signed_codes));

  Conv2d third{.out_channels = 6,
               .kernel_h = 2,
               .kernel_w = 1,
               .pad_h = 1,
               .dilation_h = 2,
               .groups = 2,
               .weights = {},
               .bias = {}};
  PlaneWeights twos = make.planes(PlaneEncoding::TwosComplement, 3, 6, 6);
  twos.basis = UniformBasis{make.floats(6, 0, 1)};
  third.weights = std::move(twos);
  append(spec, "na\xC3\xAFve", std::move(third));  // 3x3x6
  append(spec, "quantize3", make.quantize(1, PlaneEncoding::Bipolar, UniformBasis{{1.0F}}));
  append(spec, "flatten", Flatten{});

  Linear fourth{.out_features = 5, .weights = {}, .bias = {}};
  PlaneWeights unsigned_planes = make.planes(PlaneEncoding::Unsigned, 2, 5, 54);
  unsigned_planes.basis = UniformBasis{{0.125F}};
  unsigned_planes.offset = make.floats(5, -1, 1);
  fourth.weights = std::move(unsigned_planes);
  append(spec, "linear", std::move(fourth));
  append(spec, "average", GlobalAveragePool{});
  append(spec, "classifier", Linear{3, FloatWeights{make.floats(15, -1, 1)}, make.floats(3, -1, 1)});
  add_sample_description(spec, make);
  return spec;
}

/// The file of sample_model().
inline std::vector<std::byte> sample_bytes() {
  return serialize_model(sample_model()).value();
}

/// Every operation that came with version 2.
inline ModelSpec sample_branches() {
  SampleMaker make;
  ModelSpec spec;
  spec.name = "branches";
  spec.input = {6, 5, 3, {0.5F, 0.25F, 0.125F}, {0.5F, 0.3F, 0.7F}};
  const auto join = [&](std::string name, std::vector<std::string> inputs, Operation op) {
    spec.output = name;
    spec.nodes.push_back({std::move(name), std::move(inputs), std::move(op)});
  };
  const auto conv = [&](std::size_t out, std::size_t k) {
    Conv2d op{.out_channels = out, .weights = {}, .bias = {}};
    PlaneWeights planes = make.planes(PlaneEncoding::Bipolar, 2, out, k);
    planes.basis = UniformBasis{{0.5F}};
    op.weights = std::move(planes);
    return op;
  };
  join("quantize", {"input"}, make.quantize(2, PlaneEncoding::Unsigned, UniformBasis{{0.5F}}));
  join("way1", {"quantize"}, conv(4, 3));
  join("way2", {"quantize"}, conv(2, 3));
  join("concat", {"way1", "way2"}, Concat{});  // 6x5x6
  join("zeros", {"concat"}, ZeroChannelShortcut{2, 2, 1, 3, ShortcutSampling::Subsample});
  join("drop", {"concat"}, Identity{});
  join("average", {"drop"}, AveragePool{.rounding = PoolRounding::Ceil, .divisor = AverageDivisor::Padded});
  join("quantize2", {"average"}, make.quantize(2, PlaneEncoding::Unsigned, UniformBasis{{0.5F}}));
  join("branch", {"quantize2"}, conv(10, 6));
  join("add", {"branch", "zeros"}, Add{});  // 3x3x10
  join("quantize3", {"add"}, make.quantize(2, PlaneEncoding::Bipolar, LearnedBasis{{0.5F, 0.75F}}));
  join("values", {"quantize3"}, Dequantize{});
  Conv2d by_layer{.out_channels = 7, .weights = {}, .bias = {}};
  by_layer.weights = make.codebook(CodebookScope::Layer, 5, 7, 10);
  join("book1", {"values"}, by_layer);
  Conv2d by_channel{.out_channels = 4, .weights = {}, .bias = {}};
  by_channel.weights = make.codebook(CodebookScope::Channel, 3, 4, 7);
  join("book2", {"book1"}, by_channel);
  join("lrn", {"book2"}, LocalResponseNorm{NormScope::WithinChannel, 3, 5e-5F, 0.75F, 1.0F});
  join("gap", {"lrn"}, GlobalAveragePool{});
  join("softmax", {"gap"}, Softmax{});
  return spec;
}

inline Node& node_of(ModelSpec& spec, const std::string& name) {
  for (Node& node : spec.nodes) {
    if (node.name == name) return node;
  }
  return spec.nodes.front();
}

template <class Op>
Op& op_of(ModelSpec& spec, const std::string& name) {
  return std::get<Op>(node_of(spec, name).op);
}

inline PlaneWeights& planes_of(Conv2d& conv) {
  return std::get<PlaneWeights>(conv.weights);
}

}  // namespace bitplane::engine::testing
