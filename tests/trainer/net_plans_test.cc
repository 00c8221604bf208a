// SPDX-License-Identifier: Apache-2.0
//
// What a method's plan makes of the nets: which layers it reaches, and what stands in front of its
// quantizers.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "trainer/methods/method.h"
#include "trainer/nets/net.h"
#include "trainer/nn/layers.h"
#include "trainer/run_support.h"
#include "trainer/trainer_support.h"

namespace bitplane::train {
namespace {

QuantizationPlan plan_of(const std::string& method, std::size_t wbits, std::size_t abits,
                         OptionValues options = {}) {
  return make_plan(resolve_method({method, wbits, abits, std::move(options)}));
}

std::unique_ptr<Module> cnn_small(const QuantizationPlan& plan, FirstLast first_last = FirstLast::Float) {
  return build_net("cnn-small",
                   {.input = {28, 28, 1}, .classes = 10, .plan = plan, .first_last = first_last});
}

/// "conv1:gdrq conv2:gdrq ..."
std::string weight_quantizers(Module& net) {
  std::string text;
  for (const QuantizedLayer& layer : quantized_layers(net))
    text += (text.empty() ? "" : " ") + layer.name + ":" + std::string(layer.quantizer->name());
  return text;
}

TEST(NetPlans, GdrqQuantizesTheFirstLayersWeightsAndNotTheLast) {
  const std::string inner = "conv2:gdrq conv3:gdrq conv4:gdrq conv5:gdrq";
  EXPECT_EQ(weight_quantizers(*cnn_small(plan_of("gdrq", 2, 2))), "conv1:gdrq " + inner);
  EXPECT_EQ(weight_quantizers(*cnn_small(plan_of("gdrq", 2, 2, {{"layers", "inner"}}))), inner);
  EXPECT_EQ(weight_quantizers(*cnn_small(plan_of("gdrq", 2, 2, {{"layers", "all"}}))),
            "conv1:gdrq " + inner + " fc:gdrq");
  // The stage that reshapes float weights reaches the same ones.
  const QuantizationPlan reshape = plan_of("gdrq", kFloatBits, 8, {{"reshape", "project"}});
  EXPECT_EQ(weight_quantizers(*cnn_small(reshape)), "conv1:gdrq " + inner);
  EXPECT_EQ(weight_quantizers(*cnn_small(plan_of("gdrq", 2, 2), FirstLast::Bytes)),
            "conv1:bytes " + inner + " fc:bytes");
}

/// The batch norm right in front of a quantizer, or in front of the ReLU there; nullptr for other layers.
const BatchNorm* norm_before(const std::vector<LayerNode>& nodes, std::size_t quantizer) {
  std::size_t at = quantizer - 1;
  if (std::holds_alternative<const Relu*>(nodes[at].layer)) --at;
  const auto* norm = std::get_if<const BatchNorm*>(&nodes[at].layer);
  return norm != nullptr ? *norm : nullptr;
}

TEST(NetPlans, FixedLevelsStandBehindBatchNormsWithoutScaleAndShift) {
  for (const MethodInfo& method : methods()) {
    if (activation_bits(method).max == 0) continue;
    SCOPED_TRACE(std::string(method.name));
    const QuantizationPlan plan =
        plan_of(std::string(method.name), weight_bits(method).min, activation_bits(method).min);
    const auto net = cnn_small(plan);
    const std::vector<LayerNode> nodes = layer_graph(*net).nodes;
    const bool fixed = method.name == "hwgq" || method.name == "tsq";
    std::size_t norms = 0;
    for (std::size_t i = 1; i < nodes.size(); ++i) {
      if (!std::holds_alternative<const Quantize*>(nodes[i].layer)) continue;
      const BatchNorm* norm = norm_before(nodes, i);
      ASSERT_NE(norm, nullptr) << nodes[i].name;
      EXPECT_EQ(norm->gamma() == nullptr, fixed) << nodes[i].name;
      EXPECT_EQ(norm->beta() == nullptr, fixed) << nodes[i].name;
      ++norms;
    }
    EXPECT_EQ(norms, 4U);
    for (const LayerNode& node : nodes) {
      if (node.name == "bn5") {
        EXPECT_NE(std::get<const BatchNorm*>(node.layer)->gamma(), nullptr);
      }
    }
  }
}

/// "bn1 stage1.block1.bn2 ...": the batch norms that train a scale and a shift.
std::string affine_norms(const Module& net) {
  std::string text;
  for (const LayerNode& node : layer_graph(net).nodes) {
    const auto* norm = std::get_if<const BatchNorm*>(&node.layer);
    if (norm != nullptr && (*norm)->gamma() != nullptr) text += (text.empty() ? "" : " ") + node.name;
  }
  return text;
}

/// Also where a pooling stands in between, and where the norm is in one container and the quantizer in
/// another.
TEST(NetPlans, FixedLevelsReachBackThroughReluAndPoolingButNotThroughSums) {
  const auto norms = [](const std::string& net, const PictureShape& input) {
    return affine_norms(
        *build_net(net, {.input = input, .classes = 4, .width = 0.25, .plan = plan_of("hwgq", 1, 2)}));
  };
  EXPECT_EQ(norms("resnet-20", {32, 32, 3}), "bn2");  // in front of the float linear layer
  EXPECT_EQ(norms("resnet-18", {32, 32, 3}),
            "stage1.block1.bn3 stage1.block2.bn3 stage2.block1.bn3 stage2.block1.shortcut.bn "
            "stage2.block2.bn3 stage3.block1.bn3 stage3.block1.shortcut.bn stage3.block2.bn3 "
            "stage4.block1.bn3 stage4.block1.shortcut.bn stage4.block2.bn3 stage4.bn");
  EXPECT_EQ(norms("vgg-small", {32, 32, 3}), "bn6");
  EXPECT_EQ(norms("alexnet", {67, 67, 3}), "");
}

TEST(NetPlans, FixedLevelsWantABatchNormSomewhereInFront) {
  const std::set<std::string_view> without{"light-cnn", "light-cnn-full", "vgg-16", "alexnet-caffe"};
  for (const NetInfo& info : nets()) {
    for (const char* method : {"hwgq", "tsq", "lsq"}) {
      SCOPED_TRACE(std::string(info.name) + ", " + method);
      const auto build = [&] {
        const std::size_t wbits = method == std::string_view("hwgq") ? 1 : 2;
        return build_net(info.name, {.input = {info.min_size, info.min_size, 3},
                                     .classes = 4,
                                     .width = 0.05,
                                     .plan = plan_of(method, wbits, 2)});
      };
      if (without.contains(info.name) && method != std::string_view("lsq")) {
        const std::string message = testing::message_of<std::invalid_argument>(build);
        EXPECT_NE(message.find("no batch norm stands in front of 'quant"), std::string::npos) << message;
      } else {
        EXPECT_NO_THROW(static_cast<void>(build()));
      }
    }
  }
}

/// Runs the net on random pictures; each quantizer that reads signs must see both.
void expect_both_signs(const NetInfo& info, const QuantizationPlan& plan) {
  const PictureShape input{info.min_size, info.min_size, 3};
  const auto net = build_net(info.name, {.input = input, .classes = 4, .width = 0.05, .plan = plan});
  initialize_parameters(*net, 1);
  // Biases far on either side, where there are any: the largest of a window is rarely negative by chance.
  for (const NamedParameter& p : named_parameters(*net)) {
    if (p.parameter->role != ParameterRole::Bias) continue;
    float bias = 1000.0F;
    for (float& b : p.parameter->variable.mutable_value().mutable_values()) b = std::exchange(bias, -bias);
  }
  std::set<std::string> left;
  for (const LayerNode& node : layer_graph(*net).nodes) {
    const auto* quantize = std::get_if<const Quantize*>(&node.layer);
    if (quantize != nullptr && (*quantize)->quantizer().reads_signs()) left.insert(node.name);
  }
  EXPECT_FALSE(left.empty());
  Backend backend{{.threads = 2}};
  const Context ctx{.backend = backend, .mode = Mode::Train, .grad = GradMode::Off};
  const Variable x(testing::random_tensor({6, input.height, input.width, input.channels}, 2));
  (void)net->watch(ctx, x, "", [&](const std::string& name, const Variable& y) {
    if (!left.contains(name)) return;
    const auto values = y.value().values();
    if (*std::ranges::min_element(values) < 0.0F && *std::ranges::max_element(values) > 0.0F)
      left.erase(name);
  });
  EXPECT_EQ(left, std::set<std::string>()) << "these see one sign alone";
}

TEST(NetPlans, QuantizersOfSignsSeeBothSignsInEveryNet) {
  std::size_t sign_methods = 0;
  for (const MethodInfo& method : methods()) {
    if (activation_bits(method).max == 0) continue;
    const QuantizationPlan plan =
        plan_of(std::string(method.name), weight_bits(method).min, activation_bits(method).min);
    if (!plan.activations()->reads_signs()) continue;
    ++sign_methods;
    for (const NetInfo& info : nets()) {
      SCOPED_TRACE(std::string(info.name) + ", " + std::string(method.name));
      expect_both_signs(info, plan);
    }
  }
  EXPECT_EQ(sign_methods, 3U);  // xnor-net, bnn, abc-net
}

TEST(NetPlans, ReluLayersInFrontOfFloatLayersStay) {
  const auto relus = [](std::string_view name) {
    const NetInfo& info = find_net(name);
    const QuantizationPlan plan = plan_of("bnn", 1, 1);
    const auto net = build_net(
        name, {.input = {info.min_size, info.min_size, 3}, .classes = 4, .width = 0.05, .plan = plan});
    std::string text;
    for (const LayerNode& node : layer_graph(*net).nodes) {
      if (std::holds_alternative<const Relu*>(node.layer)) text += (text.empty() ? "" : " ") + node.name;
    }
    return text;
  };
  EXPECT_EQ(relus("cnn-small"), "relu5");
  EXPECT_EQ(relus("light-cnn-full"), "relu3");
  EXPECT_EQ(relus("vgg-variant"), "relu0 relu12");  // relu0: a batch norm lies between it and the quantizer
  EXPECT_EQ(relus("vgg-16"), "relu15");
  EXPECT_EQ(relus("alexnet-caffe"), "relu7");
  EXPECT_EQ(relus("resnet-20"), "relu2");
  EXPECT_EQ(relus("resnet-18"), "stage4.relu");
  EXPECT_EQ(relus("resnet-50"), "stage4.relu");
  EXPECT_EQ(relus("densenet-121"), "relu2");
}

}  // namespace
}  // namespace bitplane::train
