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

TEST(Nets, EveryNetRunsOnEveryInputThatItNames) {
  for (const NetInfo& info : nets()) {
    for (const PictureShape& input : info.inputs) {
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
  const auto size = testing::message_of<std::invalid_argument>([] { (void)cnn_small({10, 10, 1}, 2, 2); });
  EXPECT_NE(size.find("28x28x1 or 32x32x3"), std::string::npos) << size;
  EXPECT_NE(size.find("10x10x1"), std::string::npos) << size;
}

}  // namespace
}  // namespace bitplane::train
