// SPDX-License-Identifier: Apache-2.0
#include "trainer/nets/net.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <stdexcept>

#include "trainer/methods/method.h"
#include "trainer/nets/layer_sizes.h"
#include "trainer/nn/layers.h"
#include "trainer/ops/loss.h"
#include "trainer/run/divergence.h"
#include "trainer/run_support.h"
#include "trainer/trainer_support.h"

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

/// Pre-activation (He, Zhang, Ren, Sun, "Identity mappings in deep residual networks", ECCV 2016): shortcuts
/// branch off before the batch norm, and take floats. The first block's input has its ReLU already. New
/// channels are zeros around the averaged ones.
TEST(Nets, ResNet20BranchesOffBeforeTheBatchNorm) {
  const QuantizationPlan plan = make_plan(resolve_method({.method = "lq-nets", .wbits = 2, .abits = 2}));
  const auto net = build_net("resnet-20", {.input = {32, 32, 3}, .classes = 10, .plan = plan});
  std::map<std::string, std::string> text;  // by block
  std::vector<std::size_t> zeros;
  for (const LayerNode& node : layer_graph(*net).nodes) {
    const std::size_t end = node.name.rfind('.');
    if (end == std::string::npos) continue;
    std::string& block = text[node.name.substr(0, end)];
    block += (block.empty() ? "" : " ") + node.name.substr(end + 1) + "(";
    for (const std::string& input : node.inputs) block += (input == node.inputs[0] ? "" : ", ") + input;
    block += ")";
    if (const auto* shortcut = std::get_if<const ZeroChannelShortcut*>(&node.layer)) {
      const ShortcutOptions& options = (*shortcut)->options();
      EXPECT_EQ(options.sampling, ShortcutSampling::Average);
      zeros.insert(zeros.end(), {options.front, options.back});
    }
  }
  const auto branch = [](const std::string& block, const std::string& relu) {
    const auto of = [&](const char* layer) { return "(" + block + "." + layer + ") "; };
    return "quant1(" + relu + ") conv1" + of("quant1") + "bn2" + of("conv1") + "relu2" + of("bn2") +
           "quant2" + of("relu2") + "conv2" + of("quant2");
  };
  EXPECT_EQ(text["stage1.block1"], branch("stage1.block1", "relu1") + "add(stage1.block1.conv2, relu1)");
  EXPECT_EQ(text["stage1.block2"], "bn1(stage1.block1.add) relu1(stage1.block2.bn1) " +
                                       branch("stage1.block2", "stage1.block2.relu1") +
                                       "add(stage1.block2.conv2, stage1.block1.add)");
  EXPECT_EQ(text["stage2.block1"],
            "bn1(stage1.block3.add) relu1(stage2.block1.bn1) " +
                branch("stage2.block1", "stage2.block1.relu1") +
                "shortcut(stage1.block3.add) add(stage2.block1.conv2, stage2.block1.shortcut)");
  EXPECT_EQ(zeros, (std::vector<std::size_t>{8, 8, 16, 16}));
}

TEST(Nets, TheWidthRule) {
  EXPECT_EQ(scaled_channels(16, 1.0), 16U);
  EXPECT_EQ(scaled_channels(16, 0.25), 4U);
  EXPECT_EQ(scaled_channels(16, 0.01), 4U);
  EXPECT_EQ(scaled_channels(64, 0.4), 24U);   // 25.6
  EXPECT_EQ(scaled_channels(64, 0.41), 28U);  // 26.24
  EXPECT_EQ(scaled_channels(10, 1.0), 10U);
  EXPECT_EQ(scaled_channels(20, 0.5), 12U);  // half up
  EXPECT_EQ(scaled_channels(16, 2.0), 32U);
}

struct PublishedCounts {
  std::string_view net;
  std::size_t parameters, conv_weights, conv_macs, macs;
};
// Worked out from the descriptions by a program of its own. Known from elsewhere: vgg-small 4 574 592 weights
// and 607.5 M MAC, resnet-20 267 696 and 40.6 M, resnet-18-cifar 10 987 200 + 172 032 and 555 M, light-cnn
// 145 578 parameters, cnn-small 134 e3 and 12.8 M; and the parameters of torchvision's vgg16 138 357 544,
// resnet18 11 689 512, resnet34 21 797 672, resnet50 25 557 032, of Caffe's AlexNet 60 965 224.
constexpr PublishedCounts kPublished[] = {
    {"cnn-small", 135674, 133776, 12757248, 12758528},
    {"light-cnn", 145578, 79200, 12288000, 12354176},
    {"light-cnn-full", 89578, 79200, 12288000, 12298240},
    {"vgg-small", 4660106, 4574592, 607518720, 607600640},
    {"vgg-7", 12979082, 4574592, 607518720, 615917568},
    {"vgg-variant", 138033608, 14391072, 10581516288, 10705149952},
    {"vgg-16-bn", 138369960, 14710464, 15346630656, 15470264320},
    {"vgg-16", 138357544, 14710464, 15346630656, 15470264320},
    {"resnet-20", 269722, 267696, 40550400, 40551040},
    {"resnet-20-post", 269722, 267696, 40550400, 40551040},
    {"resnet-18-cifar", 11220132, 11159232, 555417600, 555468800},
    {"resnet-18", 11693352, 11166912, 1813561344, 1814073344},
    {"resnet-34", 21805224, 21267648, 3663249408, 3663761408},
    {"resnet-50", 22810664, 20686016, 3727474688, 3729522688},
    {"resnet-18-post", 11689512, 11166912, 1813561344, 1814073344},
    {"resnet-34-post", 21797672, 21267648, 3663249408, 3663761408},
    {"resnet-50-post", 25557032, 23454912, 4087136256, 4089184256},
    {"alexnet", 62371528, 3745824, 1076634144, 1135256096},
    {"alexnet-bn", 62387912, 3745824, 1076634144, 1135256096},
    {"alexnet-caffe", 60965224, 2332704, 665784864, 724406816},
    {"googlenet-variant", 12268808, 11225792, 3183466496, 3184490496},
    {"densenet-121", 7915944, 6870208, 2833137664, 2834161664},
};

TEST(Nets, EveryNetHasThePublishedCounts) {
  ASSERT_EQ(nets().size(), std::size(kPublished));
  for (std::size_t i = 0; i < nets().size(); ++i) {
    SCOPED_TRACE(nets()[i].name);
    ASSERT_EQ(nets()[i].name, kPublished[i].net);
    const NetCounts counts = count_net(nets()[i]);
    EXPECT_EQ(counts.parameters, kPublished[i].parameters);
    EXPECT_EQ(counts.conv_weights, kPublished[i].conv_weights);
    EXPECT_EQ(counts.conv_macs, kPublished[i].conv_macs);
    EXPECT_EQ(counts.macs, kPublished[i].macs);
  }
}

std::map<std::string, PictureShape> published_maps(std::string_view name) {
  const NetInfo& info = find_net(name);
  const QuantizationPlan none;
  const auto net = build_net(name, {.input = info.input, .classes = info.classes, .plan = none});
  std::map<std::string, PictureShape> maps;
  for (const LayerSize& size : layer_sizes(layer_graph(*net), info.input)) maps[size.name] = size.out;
  return maps;
}

TEST(Nets, MapsHaveThePublishedSizes) {
  auto maps = published_maps("alexnet");  // 55, 27, 13, 6
  EXPECT_EQ(maps.at("conv1"), (PictureShape{55, 55, 96}));
  EXPECT_EQ(maps.at("pool1"), (PictureShape{27, 27, 96}));
  EXPECT_EQ(maps.at("pool2"), (PictureShape{13, 13, 256}));
  EXPECT_EQ(maps.at("pool5"), (PictureShape{6, 6, 256}));
  maps = published_maps("vgg-variant");  // 112, 56, 28, 14, 7
  EXPECT_EQ(maps.at("conv1"), (PictureShape{112, 112, 96}));
  EXPECT_EQ(maps.at("pool10"), (PictureShape{7, 7, 512}));
  maps = published_maps("light-cnn");  // 32, 16, 8, 4
  EXPECT_EQ(maps.at("pool1"), (PictureShape{16, 16, 32}));
  EXPECT_EQ(maps.at("pool3"), (PictureShape{4, 4, 64}));
  maps = published_maps("resnet-18-cifar");  // 32, 16, 8, 4
  EXPECT_EQ(maps.at("stage4.relu2"), (PictureShape{4, 4, 512}));
  maps = published_maps("resnet-50");
  EXPECT_EQ(maps.at("stage4.block3.add"), (PictureShape{7, 7, 2048}));
  maps = published_maps("googlenet-variant");
  const std::pair<const char*, std::size_t> joined[] = {{"3a", 256}, {"3b", 480}, {"4a", 512},
                                                        {"4b", 512}, {"4c", 512}, {"4d", 528},
                                                        {"4e", 832}, {"5a", 832}, {"5b", 1024}};
  for (const auto& [name, channels] : joined)
    EXPECT_EQ(maps.at("inception" + std::string(name) + ".concat").channels, channels) << name;
  EXPECT_EQ(maps.at("inception5b.concat").height, 7U);
  maps = published_maps("densenet-121");
  EXPECT_EQ(maps.at("block4.layer16.new.conv1"), (PictureShape{7, 7, 128}));
  EXPECT_EQ(maps.at("transition3.conv").channels, 512U);
}

/// Layers that read quantized weights, quantizers of activations.
std::pair<std::size_t, std::size_t> quantized_layers(std::string_view name) {
  const NetInfo& info = find_net(name);
  const QuantizationPlan plan = make_plan(resolve_method({.method = "lq-nets", .wbits = 2, .abits = 2}));
  const PictureShape input{info.min_size, info.min_size, 3};
  const auto net = build_net(name, {.input = input, .classes = 4, .width = 0.05, .plan = plan});
  std::size_t weights = 0, activations = 0;
  for (const LayerNode& node : layer_graph(*net).nodes) {
    if (const auto* conv = std::get_if<const Conv2d*>(&node.layer))
      weights += (*conv)->quantizer() != nullptr ? 1U : 0U;
    if (const auto* linear = std::get_if<const Linear*>(&node.layer))
      weights += (*linear)->quantizer() != nullptr ? 1U : 0U;
    activations += std::holds_alternative<const Quantize*>(node.layer) ? 1U : 0U;
  }
  return {weights, activations};
}

TEST(Nets, QuantizersStandWhereTheMethodsPutThem) {
  using Counts = std::pair<std::size_t, std::size_t>;
  EXPECT_EQ(quantized_layers("vgg-small"), Counts(5, 5));
  EXPECT_EQ(quantized_layers("vgg-7"), Counts(6, 6));
  EXPECT_EQ(quantized_layers("resnet-20"), Counts(18, 18));
  EXPECT_EQ(quantized_layers("resnet-20-post"), Counts(18, 18));
  EXPECT_EQ(quantized_layers("alexnet"), Counts(6, 6));
  EXPECT_EQ(quantized_layers("vgg-variant"), Counts(11, 11));
  EXPECT_EQ(quantized_layers("vgg-16-bn"), Counts(14, 14));
  // 16 convolutions and 3 projections; each block has 2 quantizers, but those of stages 2 to 4 start with the
  // one behind the stage in front.
  EXPECT_EQ(quantized_layers("resnet-18"), Counts(19, 16));
  EXPECT_EQ(quantized_layers("resnet-50"), Counts(48, 48));
  EXPECT_EQ(quantized_layers("resnet-18-cifar"), Counts(19, 16));
  EXPECT_EQ(quantized_layers("googlenet-variant"), Counts(2 + 9 * 5, 3 + 9 * 2 + 8));
  EXPECT_EQ(quantized_layers("densenet-121"), Counts(58 * 2 + 3, 4 + 58 * 2));
}

void expect_a_training_step(const NetInfo& info, const PictureShape& input, const std::string& method) {
  SCOPED_TRACE(std::string(info.name) + " " + to_string(input) + " " + method);
  const bool is_float = method == "float";
  const QuantizationPlan plan = make_plan(resolve_method(
      {.method = method, .wbits = is_float ? kFloatBits : 2, .abits = is_float ? kFloatBits : 2}));
  const auto net = build_net(info.name, {.input = input, .classes = 5, .width = 0.05, .plan = plan});
  initialize_parameters(*net, 1);
  Backend backend;
  const Context ctx{.backend = backend};
  const Variable x(testing::random_tensor({3, input.height, input.width, input.channels}, 2));
  const std::vector<std::uint16_t> labels{0, 4, 2};
  const Variable logits = net->forward(ctx, x);
  ASSERT_EQ(logits.shape(), Shape({3, 5}));
  const Variable loss = softmax_cross_entropy(ctx, logits, labels);
  ASSERT_TRUE(std::isfinite(loss.value().values()[0]));
  backward(ctx, loss);
  for (const NamedParameter& p : named_parameters(*net)) {
    ASSERT_TRUE(p.parameter->variable.has_grad()) << p.name;
    EXPECT_TRUE(all_finite(p.parameter->variable.grad().values())) << p.name;
  }
  // What the layer graph says is what happens.
  std::map<std::string, PictureShape> sizes;
  for (const LayerSize& size : layer_sizes(layer_graph(*net), input)) sizes[size.name] = size.out;
  (void)net->watch(ctx, x, "", [&](const std::string& name, const Variable& y) {
    const PictureShape& size = sizes.at(name);
    EXPECT_EQ(y.value().size(), 3 * size.height * size.width * size.channels) << name;
  });
}

TEST(Nets, EveryNetTrainsOnSmallPicturesWithSmallWidths) {
  for (const NetInfo& info : nets()) {
    expect_a_training_step(info, {info.min_size, info.min_size + 2, 1}, "float");
    expect_a_training_step(info, {info.min_size + 1, info.min_size, 3}, "lq-nets");
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
