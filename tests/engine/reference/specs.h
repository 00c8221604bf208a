// SPDX-License-Identifier: Apache-2.0
//
// Hand-made networks for the tests of lowering and sessions.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "bitplane/model_spec.h"

namespace bitplane::engine::reference {

/// Appends nodes to a spec; the output is the last one.
class SpecBuilder {
 public:
  SpecBuilder(std::size_t height, std::size_t width, std::size_t channels) {
    spec_.name = "hand-made";
    spec_.input = {height, width, channels, std::vector<float>(channels, 0.5F),
                   std::vector<float>(channels, 0.25F)};
  }

  /// Behind the last node, or behind `input`.
  SpecBuilder& add(const std::string& name, Operation op, const std::string& input = "") {
    const std::string last = spec_.nodes.empty() ? "input" : spec_.nodes.back().name;
    spec_.nodes.push_back({name, {input.empty() ? last : input}, std::move(op)});
    spec_.output = name;
    return *this;
  }
  /// Behind several nodes.
  SpecBuilder& join(const std::string& name, std::vector<std::string> inputs, Operation op) {
    spec_.nodes.push_back({name, std::move(inputs), std::move(op)});
    spec_.output = name;
    return *this;
  }
  SpecBuilder& output(const std::string& name) {
    spec_.output = name;
    return *this;
  }
  [[nodiscard]] const ModelSpec& spec() const { return spec_; }

 private:
  ModelSpec spec_;
};

inline std::vector<float> ramp(std::size_t count, float step) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i)
    values[i] = step * static_cast<float>(static_cast<int>(i * 7 % 11) - 5);
  return values;
}

/// 3x3, padding 1.
inline Conv2d float_conv(std::size_t in, std::size_t out) {
  Conv2d conv;
  conv.out_channels = out;
  conv.kernel_h = conv.kernel_w = 3;
  conv.pad_h = conv.pad_w = 1;
  conv.weights = FloatWeights{ramp(out * 9 * in, 0.05F)};
  return conv;
}

/// Two bipolar planes with one uniform scale.
inline PlaneWeights plane_weights(std::size_t rows, std::size_t k) {
  PlaneWeights weights;
  const std::size_t words = (k + 63) / 64;
  weights.planes = {2, rows, k, std::vector<std::uint64_t>(2 * rows * words, 0)};
  for (std::size_t r = 0; r < 2 * rows; ++r) {
    for (std::size_t i = 0; i < k; ++i) {
      const std::uint64_t bit = (i * 2654435761U + r * 40503U) >> 7 & 1U;
      weights.planes.words[r * words + i / 64] |= bit << (i % 64);
    }
  }
  weights.basis = UniformBasis{{0.05F}};
  return weights;
}

/// 3x3, padding 1, two bipolar planes.
inline Conv2d plane_conv(std::size_t in, std::size_t out, std::size_t groups = 1) {
  Conv2d conv = float_conv(in, out);
  conv.groups = groups;
  conv.weights = plane_weights(out, 9 * in / groups);
  return conv;
}

/// gamma alternates between 1, -1 and, every third channel, 0.5.
inline BatchNorm batch_norm(std::size_t channels) {
  BatchNorm bn;
  for (std::size_t c = 0; c < channels; ++c) {
    bn.mean.push_back(0.01F * static_cast<float>(c));
    bn.var.push_back(0.5F + 0.1F * static_cast<float>(c));
    bn.gamma.push_back(c % 3 == 0 ? 0.5F : c % 2 == 0 ? 1.0F : -1.0F);
    bn.beta.push_back(0.2F);
  }
  return bn;
}

/// Two bits, uniform.
inline Quantize quantize() {
  Quantize quantize;
  quantize.bits = 2;
  quantize.basis = UniformBasis{{0.4F}};
  quantize.thresholds = {0.2F, 0.6F, 1.0F};
  quantize.code_of_rank = {0, 1, 2, 3};
  return quantize;
}

inline MaxPool halve() {
  return {};
}

inline Linear classifier(std::size_t features, std::size_t classes) {
  return {classes, FloatWeights{ramp(features * classes, 0.1F)}, ramp(classes, 0.3F)};
}

/// conv - BN - ReLU - Q - conv* - pool - BN - ReLU - Q - conv* - BN - ReLU - GAP - linear on 8x8x1.
inline ModelSpec small_net() {
  ModelSpec spec = SpecBuilder(8, 8, 1)
                       .add("conv1", float_conv(1, 8))
                       .add("bn1", batch_norm(8))
                       .add("relu1", Relu{})
                       .add("quant1", quantize())
                       .add("conv2", plane_conv(8, 12))
                       .add("pool2", halve())
                       .add("bn2", batch_norm(12))
                       .add("relu2", Relu{})
                       .add("quant2", quantize())
                       .add("conv3", plane_conv(12, 10))
                       .add("bn3", batch_norm(10))
                       .add("relu3", Relu{})
                       .add("gap", GlobalAveragePool{})
                       .add("fc", classifier(10, 3))
                       .spec();
  spec.labels = {"cat", "dog", "ship"};
  return spec;
}

inline std::vector<std::uint8_t> pictures(const ModelSpec& spec, std::size_t batch) {
  std::vector<std::uint8_t> bytes(batch * spec.input.height * spec.input.width * spec.input.channels);
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::uint8_t>((i * i * 31 + i * 17) % 256);
  return bytes;
}

}  // namespace bitplane::engine::reference
