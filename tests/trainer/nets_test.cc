// SPDX-License-Identifier: Apache-2.0
#include "trainer/nets/net.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>
#include <stdexcept>

#include "trainer/methods/method.h"
#include "trainer/nets/layer_sizes.h"
#include "trainer/nn/layers.h"
#include "trainer/run_support.h"

namespace bitplane::train {
namespace {

std::unique_ptr<Module> cnn_small(const PictureShape& input, std::size_t wbits, std::size_t abits) {
  const std::string method = wbits == kFloatBits && abits == kFloatBits ? "float" : "lq-nets";
  const QuantizationPlan plan = make_plan(resolve_method({.method = method, .wbits = wbits, .abits = abits}));
  return build_net("cnn-small", {.input = input, .classes = 10, .plan = plan});
}

std::string layer_names(const Module& net) {
  std::string text;
  for (const LayerNode& node : layer_graph(net).nodes) text += (text.empty() ? "" : " ") + node.name;
  return text;
}

TEST(Nets, CnnSmallHasThePublishedOrder) {
  EXPECT_EQ(layer_names(*cnn_small({28, 28, 1}, 2, 2)),
            "conv1 bn1 relu1 quant1 conv2 pool2 bn2 relu2 quant2 conv3 pool3 bn3 relu3 quant3 conv4 bn4 "
            "relu4 quant4 "
            "conv5 bn5 relu5 gap fc");
  EXPECT_EQ(
      layer_names(*cnn_small({28, 28, 1}, 32, 32)),
      "conv1 bn1 relu1 conv2 pool2 bn2 relu2 conv3 pool3 bn3 relu3 conv4 bn4 relu4 conv5 bn5 relu5 gap fc");
}

TEST(Nets, CnnSmallQuantizesAllButTheFirstAndLastLayers) {
  const auto net = cnn_small({28, 28, 1}, 2, 2);
  std::set<std::string> quantized;
  for (const LayerNode& node : layer_graph(*net).nodes) {
    if (const auto* conv = std::get_if<const Conv2d*>(&node.layer);
        conv != nullptr && (*conv)->quantizer() != nullptr) {
      quantized.insert(node.name);
      EXPECT_EQ((*conv)->quantizer()->bits(), 2U);
    }
    if (const auto* linear = std::get_if<const Linear*>(&node.layer)) {
      EXPECT_EQ((*linear)->quantizer(), nullptr);
    }
  }
  EXPECT_EQ(quantized, (std::set<std::string>{"conv2", "conv3", "conv4", "conv5"}));
}

TEST(Nets, CnnSmallHasThePublishedCounts) {
  const auto net = cnn_small({28, 28, 1}, 2, 2);
  std::size_t conv_weights = 0, conv_macs = 0, parameters = 0;
  for (const LayerSize& size : layer_sizes(layer_graph(*net), {28, 28, 1})) {
    parameters += size.parameters;
    if (size.name.starts_with("conv")) {
      conv_weights += size.weights;
      conv_macs += size.macs;
    }
  }
  // 9 (1*16 + 16*32 + 32*64 + 64*64 + 64*128), at 28^2, 28^2, 14^2, 7^2, 7^2 pixels
  EXPECT_EQ(conv_weights, 133776U);
  EXPECT_EQ(conv_macs, 12757248U);
  // batch norms: 2 (16 + 32 + 64 + 64 + 128); linear: 128 * 10 + 10
  EXPECT_EQ(parameters, conv_weights + 608U + 1290U);
}

TEST(Nets, ResNet20HasThePublishedCounts) {
  const QuantizationPlan plan = make_plan(resolve_method({.method = "lq-nets", .wbits = 2, .abits = 2}));
  const auto net = build_net("resnet-20", {.input = {32, 32, 3}, .classes = 10, .plan = plan});
  std::size_t conv_weights = 0, macs = 0, parameters = 0, quantized = 0, quantizers = 0, joins = 0;
  const LayerGraph graph = layer_graph(*net);
  for (const LayerSize& size : layer_sizes(graph, {32, 32, 3})) {
    parameters += size.parameters;
    macs += size.macs;
    if (size.name != "fc") conv_weights += size.weights;
  }
  for (const LayerNode& node : graph.nodes) {
    const auto* conv = std::get_if<const Conv2d*>(&node.layer);
    quantized += conv != nullptr && (*conv)->quantizer() != nullptr ? 1U : 0U;
    quantizers += std::holds_alternative<const Quantize*>(node.layer) ? 1U : 0U;
    joins += std::holds_alternative<const Add*>(node.layer) ? 1U : 0U;
  }
  EXPECT_EQ(conv_weights, 267696U);
  // convolutions 9 (3*16 + 6*16*16) 32^2 + 9 (16*32 + 5*32*32) 16^2 + 9 (32*64 + 5*64*64) 8^2, and the fc
  EXPECT_EQ(macs, 40550400U + 640U);
  // batch norms: stem 16; stage 1 has 5 of 16; stage 2 one of 16 and 5 of 32; stage 3 one of 32 and 5 of 64;
  // 64 at the end
  EXPECT_EQ(parameters, conv_weights + 650U + 2U * (16 + 5 * 16 + 16 + 5 * 32 + 32 + 5 * 64 + 64));
  EXPECT_EQ(quantized, 18U);
  EXPECT_EQ(quantizers, 18U);
  EXPECT_EQ(joins, 9U);
}

TEST(Nets, TheWidthRule) {
  EXPECT_EQ(scaled_channels(16, 1.0), 16U);
  EXPECT_EQ(scaled_channels(16, 0.25), 4U);
  EXPECT_EQ(scaled_channels(16, 0.01), 4U);
  EXPECT_EQ(scaled_channels(64, 0.4), 24U);   // 25.6
  EXPECT_EQ(scaled_channels(64, 0.41), 28U);  // 26.24
  EXPECT_EQ(scaled_channels(10, 1.0), 12U);   // half up
  EXPECT_EQ(scaled_channels(16, 2.0), 32U);
}

TEST(Nets, EveryNetRunsOnEveryInputThatItNames) {
  for (const NetInfo& info : nets()) {
    for (const PictureShape& input : {info.input, PictureShape{info.min_size, info.min_size + 1, 1}}) {
      SCOPED_TRACE(std::string(info.name) + " " + to_string(input));
      const QuantizationPlan plan = make_plan(resolve_method({.method = "lq-nets", .wbits = 1, .abits = 2}));
      const auto net = build_net(info.name, {.input = input, .classes = 7, .plan = plan});
      initialize_parameters(*net, 1);
      Backend backend;
      const Context ctx{.backend = backend, .mode = Mode::Eval, .grad = GradMode::Off};
      const Variable y =
          net->forward(ctx, Variable(Tensor::filled({2, input.height, input.width, input.channels}, 0.5F)));
      EXPECT_EQ(y.shape(), Shape({2, 7}));
      EXPECT_EQ(layer_sizes(layer_graph(*net), input).back().out, (PictureShape{1, 1, 7}));
    }
  }
}

TEST(Nets, UnknownNamesAndSizesAreRefusedWithAdvice) {
  const auto name = testing::message_of<std::invalid_argument>([] { (void)find_net("cnn-smal"); });
  EXPECT_NE(name.find("did you mean 'cnn-small'"), std::string::npos) << name;
  const auto size = testing::message_of<std::invalid_argument>([] { (void)cnn_small({10, 3, 1}, 2, 2); });
  EXPECT_NE(size.find("at least 4x4 with 1 or 3 channels"), std::string::npos) << size;
  EXPECT_NE(size.find("10x3x1"), std::string::npos) << size;
  const auto channels = testing::message_of<std::invalid_argument>([] {
    (void)cnn_small({10, 10, 4}, 2, 2);
  });
  EXPECT_NE(channels.find("10x10x4"), std::string::npos) << channels;
}

}  // namespace
}  // namespace bitplane::train
