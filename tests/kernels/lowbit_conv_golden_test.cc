// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "kernels/reference/bit_conv_runner.h"

namespace bitplane::kernels {
namespace {

using Json = nlohmann::json;
using reference::Layer;
using reference::LayerRunner;

Json golden_cases(const std::string& suite) {
  std::ifstream file(std::string(BITPLANE_GOLDEN_DIR) + "/" + suite + ".json");
  EXPECT_TRUE(file.is_open());
  return Json::parse(file).at("cases");
}

template <class T>
std::vector<T> array_of(const Json& c, const char* field) {
  return c.at(field).at("data").get<std::vector<T>>();
}

std::vector<std::size_t> shape_of(const Json& c, const char* field) {
  return c.at(field).at("shape").get<std::vector<std::size_t>>();
}

/// One plane pair of a case as a 1x1 layer with an integer result, on every kernel that supports it.
struct Pair {
  std::size_t i, j;
  Encoding weights, activations;
};
void expect_pair(const Json& c, const Pair& pair, std::int32_t expected) {
  const auto [i, j, weights, activations] = pair;
  const auto k = c.at("K").get<std::size_t>();
  const auto weight_bits = array_of<std::uint16_t>(c, "weight_bits");
  const auto activation_bits = array_of<std::uint8_t>(c, "activation_bits");
  Layer layer;
  layer.shape.channels = k;
  layer.weight_encoding = weights;
  layer.activation_encoding = activations;
  layer.weights.assign(weight_bits.begin() + static_cast<std::ptrdiff_t>(i * k),
                       weight_bits.begin() + static_cast<std::ptrdiff_t>((i + 1) * k));
  layer.activations.assign(activation_bits.begin() + static_cast<std::ptrdiff_t>(j * k),
                           activation_bits.begin() + static_cast<std::ptrdiff_t>((j + 1) * k));
  layer.weight_multiples = {1};
  layer.activation_multiples = {1};
  for (const LowBitKernel* kernel : reference::kernels_for(layer)) {
    EXPECT_EQ(LayerRunner(layer, *kernel).integers(1)[0], expected) << kernel->info.name;
  }
}

TEST(LowBitConvGolden, CountsOfPlanePairs) {
  for (const Json& c : golden_cases("planes")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const auto k = c.at("K").get<std::int32_t>();
    const auto p = array_of<std::int32_t>(c, "P"), x = array_of<std::int32_t>(c, "X");
    const auto s = array_of<std::int32_t>(c, "S"), pop_w = array_of<std::int32_t>(c, "pop_w");
    constexpr Encoding kUnsigned = Encoding::Unsigned, kBipolar = Encoding::Bipolar;
    for (std::size_t i = 0; i < pop_w.size(); ++i) {
      for (std::size_t j = 0; j < s.size(); ++j) {
        const std::int32_t pair_p = p[i * s.size() + j], pair_x = x[i * s.size() + j];
        expect_pair(c, {i, j, kUnsigned, kUnsigned}, pair_p);
        expect_pair(c, {i, j, kBipolar, kUnsigned}, 2 * pair_p - s[j]);
        expect_pair(c, {i, j, kUnsigned, kBipolar}, 2 * pair_p - pop_w[i]);
        expect_pair(c, {i, j, kBipolar, kBipolar}, k - 2 * pair_x);
      }
    }
  }
}

Layer learned_layer(const Json& c) {
  const auto k = c.at("K").get<std::size_t>();
  Layer layer;
  layer.shape.channels = k;
  layer.weight_planes = shape_of(c, "weight_bits")[0];
  layer.activation_planes = shape_of(c, "activation_bits")[0];
  layer.weight_encoding = c.at("weight_bipolar").get<bool>() ? Encoding::Bipolar : Encoding::Unsigned;
  layer.activation_encoding = c.at("activation_bipolar").get<bool>() ? Encoding::Bipolar : Encoding::Unsigned;
  layer.combination = Combination::LearnedBoth;
  layer.weights.resize(k);
  layer.activations.resize(k);
  const auto weight_bits = array_of<unsigned>(c, "weight_bits"),
             activation_bits = array_of<unsigned>(c, "activation_bits");
  for (std::size_t at = 0; at < weight_bits.size(); ++at) {
    layer.weights[at % k] = static_cast<std::uint16_t>(layer.weights[at % k] | (weight_bits[at] << (at / k)));
  }
  for (std::size_t at = 0; at < activation_bits.size(); ++at) {
    layer.activations[at % k] =
        static_cast<std::uint8_t>(layer.activations[at % k] | (activation_bits[at] << (at / k)));
  }
  layer.weight_basis = array_of<float>(c, "v");
  layer.activation_basis = array_of<float>(c, "u");
  if (c.at("offset_w").get<float>() != 0.0F) layer.weight_offset = {c.at("offset_w").get<float>()};
  layer.activation_offset = c.at("offset_a").get<float>();
  return layer;
}

TEST(LowBitConvGolden, ValuesWithLearnedBasesAndOffsets) {
  for (const Json& c : golden_cases("planes")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const Layer layer = learned_layer(c);
    const auto value = c.at("value").get<double>();
    for (const LowBitKernel* kernel : reference::kernels_for(layer)) {
      SCOPED_TRACE(kernel->info.name);
      const float z = LayerRunner(layer, *kernel).z(1)[0];
      if (c.at("exact").get<bool>()) {
        EXPECT_EQ(static_cast<double>(z), value);
      } else {
        EXPECT_NEAR(z, value, 1e-5 * c.at("value_abs_sum").get<double>());
      }
    }
  }
}

/// Integers -> codes and multiples: two's complement, unsigned, or bipolar (odd integers).
template <class Code>
void encode(const std::vector<int>& values, std::size_t bits, const std::string& encoding,
            std::vector<Code>& codes, std::vector<std::int32_t>& multiples) {
  const int highest = (1 << bits) - 1;
  for (const int value : values) {
    codes.push_back(static_cast<Code>(encoding == "bipolar" ? (value + highest) / 2 : value & highest));
  }
  for (std::size_t plane = 0; plane < bits; ++plane) multiples.push_back(1 << plane);
  if (encoding == "signed") multiples.back() = -multiples.back();
}

TEST(LowBitConvGolden, Convolutions) {
  for (const Json& c : golden_cases("conv")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const auto x = shape_of(c, "x"), w = shape_of(c, "w");
    const auto stride = c.at("stride").get<std::size_t>(), pad = c.at("pad").get<std::size_t>();
    const auto dilation = c.at("dilation").get<std::size_t>();
    const auto weight_encoding = c.at("weight_encoding").get<std::string>();
    const auto activation_encoding = c.at("activation_encoding").get<std::string>();
    Layer layer;
    layer.shape = {.batch = x[0],
                   .height = x[1],
                   .width = x[2],
                   .channels = x[3],
                   .out_channels = w[0],
                   .kernel_h = w[1],
                   .kernel_w = w[2],
                   .stride_h = stride,
                   .stride_w = stride,
                   .pad_h = pad,
                   .pad_w = pad,
                   .dilation_h = dilation,
                   .dilation_w = dilation,
                   .groups = c.at("groups").get<std::size_t>()};
    layer.weight_planes = c.at("weight_bits").get<std::size_t>();
    layer.activation_planes = c.at("activation_bits").get<std::size_t>();
    layer.weight_encoding = weight_encoding == "bipolar" ? Encoding::Bipolar : Encoding::Unsigned;
    layer.activation_encoding = activation_encoding == "bipolar" ? Encoding::Bipolar : Encoding::Unsigned;
    encode(array_of<int>(c, "w"), layer.weight_planes, weight_encoding, layer.weights,
           layer.weight_multiples);
    encode(array_of<int>(c, "x"), layer.activation_planes, activation_encoding, layer.activations,
           layer.activation_multiples);
    for (const LowBitKernel* kernel : reference::kernels_for(layer)) {
      SCOPED_TRACE(kernel->info.name);
      EXPECT_EQ(LayerRunner(layer, *kernel).integers(layer.shape.out_height()),
                array_of<std::int32_t>(c, "accumulators"));
    }
  }
}

}  // namespace
}  // namespace bitplane::kernels
