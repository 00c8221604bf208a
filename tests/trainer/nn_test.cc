// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <stdexcept>

#include "trainer/nn/layers.h"
#include "trainer/ops/batch_norm.h"
#include "trainer/ops/loss.h"
#include "trainer/optim/optimizer.h"
#include "trainer/quantizers/list.h"
#include "trainer_support.h"

namespace bitplane::train::testing {
namespace {

/// A small net of every kind of layer that a training step has.
Sequential small_net(std::size_t bits) {
  const QuantizerInfo& lq = *find_quantizer("lq-nets");
  Sequential net;
  net.emplace<Conv2d>("conv1", Conv2dOptions{.in_channels = 1, .out_channels = 5});
  net.emplace<BatchNorm>("bn1", BatchNormModuleOptions{.channels = 5});
  net.emplace<Relu>("relu1");
  net.emplace<Quantize>("quantize1", lq.make_activations({.bits = bits}));
  net.emplace<Conv2d>(
      "conv2", Conv2dOptions{.in_channels = 5, .out_channels = 18},
      lq.make_weights({.bits = bits, .out_channels = 18, .filter_size = 45, .kernel_area = 9}));
  net.emplace<MaxPool>("pool2", PoolOptions{});
  net.emplace<BatchNorm>("bn2", BatchNormModuleOptions{.channels = 18});
  net.emplace<Relu>("relu2");
  net.emplace<GlobalAveragePool>("average");
  net.emplace<Flatten>("flatten");
  net.emplace<Linear>("fc", LinearOptions{.in_features = 18, .out_features = 4});
  return net;
}

/// Everything that a checkpoint would hold, after a few steps of training, and the losses on the way.
std::map<std::string, std::vector<std::uint32_t>> train(const BackendOptions& options, Fusion fusion,
                                                        std::size_t bits) {
  Backend backend(options);
  const Context ctx{.backend = backend, .fusion = fusion};
  Sequential net = small_net(bits);
  initialize_parameters(net, 1);
  const auto sgd = make_sgd(named_parameters(net), {.momentum = 0.9, .weight_decay = 1e-3});
  std::map<std::string, std::vector<std::uint32_t>> state;
  const std::size_t batch = 35;  // three blocks of pictures, the last one short
  std::vector<std::uint16_t> labels;
  for (std::size_t i = 0; i < batch; ++i) labels.push_back(static_cast<std::uint16_t>(i % 4));
  for (std::uint64_t step = 0; step < 3; ++step) {
    const Variable x(random_tensor({batch, 8, 8, 1}, step));
    const Variable loss = softmax_cross_entropy(ctx, net.forward(ctx, x), labels);
    backward(ctx, loss);
    sgd->step(backend, 0.1);
    clear_gradients(net);
    state["loss " + std::to_string(step)] = bits_of(loss.value());
  }
  for (const NamedParameter& p : named_parameters(net))
    state[p.name] = bits_of(p.parameter->variable.value());
  for (const NamedBuffer& b : named_buffers(net)) state[b.name] = bits_of(*b.buffer);
  sgd->visit_state([&](const std::string& name, Tensor& t) { state[name] = bits_of(t); });
  return state;
}

TEST(Layers, WeightsLearnAtTheRateThatTheirQuantizerSays) {
  const auto rate_of = [](Module& layer) {
    return named_parameters(layer).front().parameter->learning_rate_factor;
  };
  const QuantizerInfo& sign = *find_quantizer("sign");
  const Conv2dOptions conv{.in_channels = 6, .out_channels = 10};
  Conv2d plain(conv);
  Conv2d signs(conv, sign.make_weights({.bits = 1, .out_channels = 10, .filter_size = 54, .kernel_area = 9}));
  Linear linear({.in_features = 6, .out_features = 10},
                sign.make_weights({.bits = 1, .out_channels = 10, .filter_size = 6}));
  Linear bases({.in_features = 6, .out_features = 10},
               find_quantizer("abc-net")->make_weights({.bits = 3, .out_channels = 10, .filter_size = 6}));
  EXPECT_EQ(rate_of(plain), 1.0F);
  EXPECT_FLOAT_EQ(rate_of(bases), 1.7320508F);   // sqrt(6 / 2)
  EXPECT_FLOAT_EQ(rate_of(signs), 9.797959F);    // sqrt((54 + 90) / 1.5)
  EXPECT_FLOAT_EQ(rate_of(linear), 3.2659863F);  // sqrt((6 + 10) / 1.5)
  Linear levels({.in_features = 6, .out_features = 10, .bias = Bias::None},
                find_quantizer("ttq")->make_weights({.bits = 2, .out_channels = 10, .filter_size = 6}));
  for (const NamedParameter& p : named_parameters(levels))
    EXPECT_EQ(p.parameter->learning_rate_factor, p.name == "weight" ? 1.0F : 0.01F) << p.name;
}

/// It has no variance: blended in, it would take the running one to 0, right before the test pass.
TEST(Layers, BatchNormLearnsNothingFromOneRow) {
  Backend backend;
  const Context ctx{backend};
  Tensor mean = random_tensor({3}, 1), var = Tensor::filled({3}, 2.0F);
  const auto bits_before = std::pair{bits_of(mean), bits_of(var)};
  (void)batch_norm(ctx, Variable(random_tensor({1, 3}, 2)), {{}, {}, &mean, &var});
  EXPECT_EQ(std::pair(bits_of(mean), bits_of(var)), bits_before);
  (void)batch_norm(ctx, Variable(random_tensor({2, 3}, 2)), {{}, {}, &mean, &var});
  EXPECT_NE(bits_of(mean), bits_before.first);
}

/// QIL's intervals at 1/100 of the weights' rate, LSQ's steps at theirs.
TEST(Layers, WhatQuantizersTrainLearnsAtTheRateOfTheirMethod) {
  for (const auto& [name, rate] : {std::pair{"qil", 0.01F}, std::pair{"lsq", 1.0F}}) {
    SCOPED_TRACE(name);
    const QuantizerInfo& method = *find_quantizer(name);
    const auto expect_rate = [rate = rate](Quantizer& quantizer) {
      std::size_t trained = 0;
      quantizer.visit_state("", {.parameter =
                                     [&](const std::string& parameter, Parameter& p) {
                                       ++trained;
                                       EXPECT_EQ(p.learning_rate_factor, rate) << parameter;
                                     },
                                 .buffer = [](const std::string&, Tensor&) {}});
      EXPECT_GT(trained, 0U);
    };
    expect_rate(*method.make_weights({.bits = 2, .out_channels = 10, .filter_size = 6}));
    expect_rate(*method.make_activations({.bits = 2}));
  }
}

TEST(ReproducibilityTest, TrainingGivesTheSameBitsOnEveryIsaWithAnyThreads) {
  for (const std::size_t bits : {2U, 4U}) {
    const auto expected = train({kernels::detect_cpu(), 1}, Fusion::On, bits);
    for (const Machine& machine : machines()) {
      SCOPED_TRACE(machine.str() + ", bits " + std::to_string(bits));
      EXPECT_EQ(train(machine.options(), Fusion::On, bits), expected);
    }
  }
}

TEST(ReproducibilityTest, FusedOperationsGiveTheBitsOfTheSingleOnes) {
  for (const std::size_t bits : {1U, 2U, 3U}) {
    EXPECT_EQ(train({kernels::detect_cpu(), 2}, Fusion::On, bits),
              train({kernels::detect_cpu(), 2}, Fusion::Off, bits));
  }
}

TEST(ReproducibilityTest, TrainingChangesEverything) {
  Sequential net = small_net(2);
  initialize_parameters(net, 1);
  const auto after = train({kernels::detect_cpu(), 1}, Fusion::On, 2);
  for (const NamedParameter& p : named_parameters(net)) {
    EXPECT_NE(after.at(p.name), bits_of(p.parameter->variable.value())) << p.name;
  }
  for (const NamedBuffer& b : named_buffers(net)) EXPECT_NE(after.at(b.name), bits_of(*b.buffer)) << b.name;
}

TEST(ModuleTest, NamesAndRoles) {
  Sequential net = small_net(2);
  std::map<std::string, ParameterRole> roles;
  for (const NamedParameter& p : named_parameters(net)) roles[p.name] = p.parameter->role;
  const std::map<std::string, ParameterRole> expected{
      {"conv1.weight", ParameterRole::Weight}, {"bn1.gamma", ParameterRole::BatchNorm},
      {"bn1.beta", ParameterRole::BatchNorm},  {"conv2.weight", ParameterRole::Weight},
      {"bn2.gamma", ParameterRole::BatchNorm}, {"bn2.beta", ParameterRole::BatchNorm},
      {"fc.weight", ParameterRole::Weight},    {"fc.bias", ParameterRole::Bias}};
  EXPECT_EQ(roles, expected);
  std::set<std::string> buffers;
  for (const NamedBuffer& b : named_buffers(net)) buffers.insert(b.name);
  EXPECT_EQ(buffers, (std::set<std::string>{"bn1.running_mean", "bn1.running_var", "bn2.running_mean",
                                            "bn2.running_var", "conv2.quantizer.basis", "quantize1.basis"}));
  EXPECT_THROW(net.emplace<Relu>("relu1"), std::invalid_argument);
}

TEST(ModuleTest, TheLayerGraphIsTheNet) {
  Sequential net;
  Sequential& block = net.emplace<Sequential>("block");
  block.emplace<Conv2d>("conv", Conv2dOptions{});
  block.emplace<Relu>("relu");
  net.emplace<GlobalAveragePool>("average");
  const LayerGraph graph = layer_graph(net);
  ASSERT_EQ(graph.nodes.size(), 3U);
  EXPECT_EQ(graph.nodes[0].name, "block.conv");
  EXPECT_EQ(graph.nodes[0].inputs, std::vector<std::string>{"input"});
  EXPECT_EQ(graph.nodes[1].name, "block.relu");
  EXPECT_EQ(graph.nodes[1].inputs, std::vector<std::string>{"block.conv"});
  EXPECT_EQ(graph.output, "average");
  EXPECT_TRUE(std::holds_alternative<const Conv2d*>(graph.nodes[0].layer));
  EXPECT_TRUE(std::holds_alternative<const GlobalAveragePool*>(graph.nodes[2].layer));
}

/// A net of every container: input -> conv -> residual -> branches.
Sequential branching_net() {
  Sequential net;
  net.emplace<Conv2d>("conv", Conv2dOptions{.in_channels = 2, .out_channels = 4});
  auto branch = std::make_unique<Sequential>();
  branch->emplace<BatchNorm>("bn", BatchNormModuleOptions{.channels = 4});
  branch->emplace<Relu>("relu");
  branch->emplace<Conv2d>("conv", Conv2dOptions{.in_channels = 4, .out_channels = 6, .stride = 2});
  net.add("block", std::make_unique<Residual>(
                       std::move(branch),
                       std::make_unique<ZeroChannelShortcut>(ShortcutOptions{.front = 1, .back = 1})));
  auto same = std::make_unique<Sequential>();
  same->emplace<Relu>("relu");
  net.add("same", std::make_unique<Residual>(std::move(same), nullptr));
  auto& branches = net.emplace<Branches>("dense");
  branches.emplace("new").emplace<Conv2d>("conv", Conv2dOptions{.in_channels = 6, .out_channels = 3});
  branches.emplace("old");
  net.emplace<GlobalAveragePool>("average");
  return net;
}

TEST(ModuleTest, ContainersWithSeveralWaysAreGraphsWithJoins) {
  const Sequential net = branching_net();
  std::string text;
  for (const LayerNode& node : layer_graph(net).nodes) {
    text += node.name + "(";
    for (const std::string& input : node.inputs) text += input == node.inputs[0] ? input : ", " + input;
    text += ") ";
  }
  EXPECT_EQ(text,
            "conv(input) block.bn(conv) block.relu(block.bn) block.conv(block.relu) block.shortcut(conv) "
            "block.add(block.conv, block.shortcut) same.relu(block.add) same.add(same.relu, block.add) "
            "dense.new.conv(same.add) dense.concat(dense.new.conv, same.add) average(dense.concat) ");
  auto clash = std::make_unique<Sequential>();
  clash->emplace<Relu>("add");
  EXPECT_THROW(Residual(std::move(clash), nullptr), std::invalid_argument);
  Branches twice;
  twice.emplace("way");
  EXPECT_THROW(twice.emplace("way"), std::invalid_argument);
}

TEST(ModuleTest, WatchingSeesEveryLayerOfTheGraphAndChangesNothing) {
  Sequential net = branching_net();
  initialize_parameters(net, 3);
  Backend backend;
  const Context ctx{.backend = backend, .grad = GradMode::Off};
  const Variable x(random_tensor({2, 6, 6, 2}, 1));
  std::vector<std::string> seen;
  const Variable watched =
      net.watch(ctx, x, "", [&](const std::string& name, const Variable&) { seen.push_back(name); });
  EXPECT_EQ(bits_of(watched.value()), bits_of(net.forward(ctx, x).value()));
  std::vector<std::string> expected;
  for (const LayerNode& node : layer_graph(net).nodes) expected.push_back(node.name);
  EXPECT_EQ(seen, expected);
}

TEST(ModuleTest, WeightsStartWithTheGivenDeviation) {
  Sequential net;
  net.emplace<Conv2d>("conv", Conv2dOptions{.in_channels = 8,
                                            .out_channels = 64,
                                            .bias = Bias::Learned,
                                            .start = {.deviation = 0.01F, .bias_rate = 2.0F}});
  net.emplace<BatchNorm>("bn", BatchNormModuleOptions{.channels = 64, .gamma = 0.0F});
  initialize_parameters(net, 5);
  const auto parameters = named_parameters(net);
  double square = 0;
  for (const float v : parameters[0].parameter->variable.value().values())
    square += static_cast<double>(v) * static_cast<double>(v);
  EXPECT_NEAR(square / 4608.0, 1e-4, 1e-5);
  EXPECT_EQ(parameters[0].parameter->learning_rate_factor, 1.0F);
  EXPECT_EQ(parameters[1].parameter->learning_rate_factor, 2.0F);
  EXPECT_EQ(parameters[2].parameter->variable.value().values()[0], 0.0F);
}

TEST(ModuleTest, InitializationDependsOnSeedAndNameOnly) {
  Sequential a, b;
  a.emplace<Conv2d>("first", Conv2dOptions{.in_channels = 3, .out_channels = 4});
  a.emplace<Conv2d>("second", Conv2dOptions{.in_channels = 4, .out_channels = 64});
  b.emplace<Conv2d>("second", Conv2dOptions{.in_channels = 4, .out_channels = 64});
  initialize_parameters(a, 5);
  initialize_parameters(b, 5);
  const Tensor& w = named_parameters(a)[1].parameter->variable.value();
  EXPECT_EQ(bits_of(w), bits_of(named_parameters(b)[0].parameter->variable.value()));
  double square = 0;
  for (const float v : w.values()) square += static_cast<double>(v) * static_cast<double>(v);
  EXPECT_NEAR(square / static_cast<double>(w.size()), 2.0 / 36.0, 0.15 * 2.0 / 36.0);
  initialize_parameters(b, 6);
  EXPECT_NE(bits_of(w), bits_of(named_parameters(b)[0].parameter->variable.value()));
}

TEST(ModuleTest, AlternationsRunUnfusedInsideAFusedNet) {
  const QuantizerInfo& lq = *find_quantizer("lq-nets");
  const auto run = [&](Fusion fusion) {
    Backend backend;
    Sequential net;
    net.emplace<BatchNorm>("bn", BatchNormModuleOptions{.channels = 3});
    net.emplace<Relu>("relu");
    net.emplace<Quantize>("quantize", lq.make_activations({.bits = 2, .options = {{"alternations", 3}}}));
    const Context ctx{.backend = backend, .fusion = fusion};
    auto state = bits_of(net.forward(ctx, Variable(random_tensor({40, 3}, 1))).value());
    for (const std::uint32_t b : bits_of(*named_buffers(net).back().buffer)) state.push_back(b);
    return state;
  };
  EXPECT_EQ(run(Fusion::On), run(Fusion::Off));
}

TEST(OpErrorsTest, MessagesNameTheShapes) {
  Backend backend;
  const Context ctx{backend};
  const auto message_of = [](const auto& f) -> std::string {
    try {
      f();
    } catch (const std::invalid_argument& e) {
      return e.what();
    }
    return "no exception";
  };
  const Variable x(Tensor::zeros({1, 4, 4, 3}));
  Conv2d conv({.in_channels = 2, .out_channels = 5});
  const std::string text = message_of([&] { static_cast<void>(conv.forward(ctx, x)); });
  EXPECT_NE(text.find("[1, 4, 4, 3]"), std::string::npos) << text;
  EXPECT_NE(text.find("[5, 3, 3, 2]"), std::string::npos) << text;
  EXPECT_NE(message_of([&] {
              static_cast<void>(Linear({.in_features = 7}).forward(ctx, Variable(Tensor::zeros({2, 8}))));
            }).find("[2, 8]"),
            std::string::npos);
  const std::vector<std::uint16_t> bad_label{4};
  EXPECT_NE(message_of([&] {
              static_cast<void>(softmax_cross_entropy(ctx, Variable(Tensor::zeros({1, 4})), bad_label));
            }).find("label 4"),
            std::string::npos);
}

}  // namespace
}  // namespace bitplane::train::testing
