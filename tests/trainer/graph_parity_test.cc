// SPDX-License-Identifier: Apache-2.0
//
// Engine against evaluation on 100 random graphs with branches, and on nets made of the trainer's containers:
// the same codes at every quantizer and the same logits, bit for bit. Neither was written from the other.
#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <string>

#include "bitplane/engine.h"
#include "bitplane/kernels/isa.h"
#include "engine/reference/random_dag.h"
#include "trainer/data/preprocessing.h"
#include "trainer/evaluation/evaluator.h"
#include "trainer/export/describe.h"
#include "trainer/methods/method.h"
#include "trainer/nets/net.h"
#include "trainer/nets/parts.h"
#include "trainer/nn/layers.h"
#include "trainer/quantizers/running_clip.h"
#include "trainer/run_support.h"
#include "trainer/trainer_support.h"

namespace bitplane::train {
namespace {

/// On one picture, on every ISA.
void expect_same_bits(const engine::ModelSpec& spec, std::span<const std::uint8_t> picture) {
  const auto model = engine::Model::from_spec(spec);
  ASSERT_TRUE(model.ok()) << model.status().message();
  const Evaluator evaluator(spec, kernels::detect_cpu());
  Evaluator::Worker worker(evaluator);
  evaluator.run(picture, worker);
  for (const kernels::IsaInfo& isa : kernels::kIsas) {
    if (!kernels::detect_cpu().has(isa.isa)) continue;
    SCOPED_TRACE(std::string(isa.name));
    auto session =
        engine::Session::create(model.value(), {.isa = std::string(isa.name), .capture_codes = true});
    ASSERT_TRUE(session.ok()) << session.status().message();
    ASSERT_TRUE(session->run(picture).ok());
    ASSERT_EQ(session->quantizers().size(), evaluator.quantizers().size());
    for (std::size_t q = 0; q < evaluator.quantizers().size(); ++q) {
      SCOPED_TRACE(evaluator.quantizers()[q].name);
      ASSERT_EQ(session->quantizers()[q], evaluator.quantizers()[q].name);
      const auto ours = session->codes(q), theirs = worker.codes(q);
      ASSERT_TRUE(std::equal(ours.begin(), ours.end(), theirs.begin(), theirs.end()));
    }
    ASSERT_EQ(session->output().size(), worker.logits().size());
    ASSERT_EQ(std::memcmp(session->output().data(), worker.logits().data(), worker.logits().size_bytes()), 0);
  }
}

TEST(GraphParity, EngineAndEvaluationAgreeOn100RandomGraphs) {
  for (std::uint32_t seed = 5001; seed <= 5100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    engine::reference::RandomDag graph(seed);
    const engine::ModelSpec spec = graph.make();
    const auto picture = graph.bytes(spec.input.height * spec.input.width * spec.input.channels);
    ASSERT_NO_FATAL_FAILURE(expect_same_bits(spec, picture));
  }
}

Conv2dOptions square(std::size_t in, std::size_t out, std::size_t kernel) {
  return {.in_channels = in, .out_channels = out, .kernel = kernel, .pad = kernel / 2};
}

std::unique_ptr<Sequential> begin_net() {
  auto net = std::make_unique<Sequential>();
  net->emplace<Conv2d>("stem", square(3, 8, 3));
  return net;
}

void end_net(const NetParts& parts, Sequential& net, std::size_t channels) {
  parts.norm_relu_quantize(net, "end", channels);
  parts.conv(net, "last", square(channels, 6, 1), Place::Inner);
  net.emplace<GlobalAveragePool>("gap");
  net.emplace<Linear>("fc", LinearOptions{.in_features = 6, .out_features = 5});
}

/// Features join those before them; an average pooling between.
std::unique_ptr<Module> dense_net(const NetParts& parts) {
  auto net = begin_net();
  std::size_t channels = 8;
  for (const std::string name : {"dense1", "dense2", "dense3"}) {
    auto& join = net->emplace<Branches>(name);
    join.emplace("before");
    Sequential& features = join.emplace("new");
    parts.norm_relu_quantize(features, "1", channels);
    parts.conv(features, "conv1", square(channels, 4, 3), Place::Inner);
    channels += 4;
    if (name == "dense2") net->emplace<AveragePool>("pool", PoolOptions{.kernel = 3, .stride = 2, .pad = 1});
  }
  end_net(parts, *net, channels);
  return net;
}

std::unique_ptr<Module> inception_net(const NetParts& parts) {
  auto net = begin_net();
  parts.norm_relu_quantize(*net, "1", 8);
  auto& join = net->emplace<Branches>("inception");
  parts.conv(join.emplace("way1"), "conv", square(8, 5, 1), Place::Inner);
  Sequential& way3 = join.emplace("way3");
  parts.conv(way3, "reduce", square(8, 3, 1), Place::Inner);
  parts.norm_relu_quantize(way3, "3", 3);
  parts.conv(way3, "conv", square(3, 7, 3), Place::Inner);
  net->emplace<MaxPool>("pool", PoolOptions{.kernel = 3, .stride = 2});
  end_net(parts, *net, 12);
  return net;
}

std::unique_ptr<Module> residual_net(const NetParts& parts) {
  auto net = begin_net();
  std::size_t channels = 8;
  for (const std::size_t out : {8U, 12U}) {
    auto branch = std::make_unique<Sequential>();
    parts.norm_relu_quantize(*branch, "1", channels);
    Conv2dOptions first = square(channels, out, 3);
    first.stride = out == channels ? 1 : 2;
    parts.conv(*branch, "conv1", first, Place::Inner);
    parts.norm_relu_quantize(*branch, "2", out);
    parts.conv(*branch, "conv2", square(out, out, 3), Place::Inner);
    std::unique_ptr<Module> shortcut;
    if (out != channels) {
      shortcut = std::make_unique<ZeroChannelShortcut>(ShortcutOptions{.stride = 2, .front = 1, .back = 3});
    }
    net->add("block" + std::to_string(out),
             std::make_unique<Residual>(std::move(branch), std::move(shortcut)));
    channels = out;
  }
  end_net(parts, *net, channels);
  return net;
}

engine::Quantize clip_of_two(ClipRange range) {
  RunningClip quantizer({.range = range});
  Backend backend;
  Tensor half({1});
  half.mutable_data()[0] = 0.5F;
  quantizer.before_batch({.backend = backend}, half);
  return quantizer.export_spec();
}

struct NetCase {
  std::string name;
  std::unique_ptr<Module> (*make)(const NetParts&);
  std::string first_join;
};

TEST(GraphParity, NetsOfContainersAreDescribedAndGiveTheSameBits) {
  const NetCase cases[] = {{"residual", residual_net, "block8.add"},
                           {"dense", dense_net, "dense1.concat"},
                           {"inception", inception_net, "inception.concat"}};
  for (const NetCase& net_case : cases) {
    for (const std::size_t bits : {std::size_t{2}, kFloatBits}) {
      SCOPED_TRACE(net_case.name + ", bits " + std::to_string(bits));
      const auto resolved = bits == kFloatBits
                                ? resolve_method({.method = "float", .wbits = bits, .abits = bits})
                                : resolve_method({.method = "lq-nets", .wbits = bits, .abits = bits});
      const QuantizationPlan plan = make_plan(resolved);
      const NetOptions options{.input = {9, 10, 3}, .classes = 5, .plan = plan};
      const auto net = net_case.make(NetParts(options));
      initialize_parameters(*net, 3);
      Backend backend;
      Tensor pictures({8, 9, 10, 3});
      engine::reference::RandomDag random(17);
      std::vector<std::uint8_t> bytes = random.bytes(pictures.size());
      for (std::size_t i = 0; i < bytes.size(); ++i)
        pictures.mutable_data()[i] = static_cast<float>(bytes[i]) / 64.0F - 2.0F;
      // A step of training gives BN its statistics and quantizers their bases.
      (void)net->forward({.backend = backend}, Variable(pictures));
      const Task task{.input = options.input,
                      .labels = {},
                      .preprocessing = {{0.5F, 0.5F, 0.5F}, {0.25F, 0.25F, 0.25F}},
                      .sample = {}};
      const engine::ModelSpec spec = describe_net(layer_graph(*net), task);
      EXPECT_TRUE(std::any_of(spec.nodes.begin(), spec.nodes.end(),
                              [&](const engine::Node& node) { return node.name == net_case.first_join; }));
      bytes.resize(9 * 10 * 3);
      ASSERT_NO_FATAL_FAILURE(expect_same_bits(spec, bytes));
    }
  }
}

TEST(GraphParity, EveryNetOfTheListGivesTheSameBitsWithBytesFirstAndLast) {
  const QuantizationPlan plan = make_plan(resolve_method({.method = "lq-nets", .wbits = 2, .abits = 2}));
  for (const NetInfo& info : nets()) {
    SCOPED_TRACE(std::string(info.name));
    const PictureShape input{info.min_size, info.min_size, 3};
    const Preprocessing preprocessing =
        with_whole_byte_means({.mean = {0.1F, 0.5F, 0.9F}, .std = {0.25F, 0.5F, 0.125F}});
    const auto net = build_net(info.name, {.input = input,
                                           .classes = 5,
                                           .width = 0.1,
                                           .plan = plan,
                                           .first_last = FirstLast::Bytes,
                                           .picture_scale = byte_scales(preprocessing)});
    initialize_parameters(*net, 3);
    engine::ModelSpec spec = describe_net(
        layer_graph(*net), {.input = input, .labels = {}, .preprocessing = preprocessing, .sample = {}});
    for (engine::Node& node : spec.nodes) {  // a clip, as the first batch would make it
      auto* quantize = std::get_if<engine::Quantize>(&node.op);
      if (quantize == nullptr || quantize->bits != 8) continue;
      *quantize = clip_of_two(quantize->encoding == engine::PlaneEncoding::Unsigned ? ClipRange::Positive
                                                                                    : ClipRange::Signed);
    }
    engine::reference::RandomDag random(29);
    const auto picture = random.bytes(input.height * input.width * input.channels);
    ASSERT_NO_FATAL_FAILURE(expect_same_bits(spec, picture));
    const auto model = engine::Model::from_spec(spec);
    auto session = engine::Session::create(model.value());
    // Nothing preprocesses the picture, and floats are refused.
    EXPECT_EQ(session->steps()[0].op, "conv2d");
    EXPECT_EQ(session->steps()[0].activation_bits, 8U);
    const std::vector<float> floats(picture.size());
    EXPECT_EQ(session->run(std::span<const float>(floats)).code(), engine::StatusCode::Unsupported);
  }
}

/// Pooling, response norms and shortcuts of signed values, where quantizers read signs.
TEST(GraphParity, EveryNetOfTheListGivesTheSameBitsOnSigns) {
  const QuantizationPlan plan = make_plan(resolve_method({.method = "xnor-net", .wbits = 1, .abits = 1}));
  for (const NetInfo& info : nets()) {
    SCOPED_TRACE(std::string(info.name));
    const PictureShape input{info.min_size, info.min_size, 3};
    const auto net = build_net(info.name, {.input = input, .classes = 5, .width = 0.1, .plan = plan});
    initialize_parameters(*net, 3);
    const engine::ModelSpec spec =
        describe_net(layer_graph(*net), {.input = input,
                                         .labels = {},
                                         .preprocessing = {{0.5F, 0.5F, 0.5F}, {0.25F, 0.25F, 0.25F}},
                                         .sample = {}});
    engine::reference::RandomDag random(31);
    const auto picture = random.bytes(input.height * input.width * input.channels);
    ASSERT_NO_FATAL_FAILURE(expect_same_bits(spec, picture));
  }
}

TEST(GraphParity, EveryNetOfTheListGivesTheSameBits) {
  std::set<std::string> reading_values;
  for (const NetInfo& info : nets()) {
    for (const std::size_t bits : {std::size_t{2}, kFloatBits}) {
      SCOPED_TRACE(std::string(info.name) + ", bits " + std::to_string(bits));
      const std::string method = bits == kFloatBits ? "float" : "lq-nets";
      const QuantizationPlan plan =
          make_plan(resolve_method({.method = method, .wbits = bits, .abits = bits}));
      const PictureShape input{info.min_size, info.min_size, 3};
      const NetOptions options{.input = input, .classes = 5, .width = 0.1, .plan = plan};
      const auto net = build_net(info.name, options);
      initialize_parameters(*net, 3);
      const Task task{.input = input,
                      .labels = {},
                      .preprocessing = {{0.5F, 0.5F, 0.5F}, {0.25F, 0.25F, 0.25F}},
                      .sample = {}};
      const engine::ModelSpec spec = describe_net(layer_graph(*net), task);
      for (const engine::Node& node : spec.nodes) {
        if (bits == 2 && std::holds_alternative<engine::Dequantize>(node.op))
          reading_values.emplace(info.name);
      }
      engine::reference::RandomDag random(23);
      const auto picture = random.bytes(input.height * input.width * input.channels);
      ASSERT_NO_FATAL_FAILURE(expect_same_bits(spec, picture));
    }
  }
  // These add or join what quantizers give.
  EXPECT_EQ(reading_values, (std::set<std::string>{"densenet-121", "resnet-18-cifar", "resnet-18-post",
                                                   "resnet-20-post", "resnet-34-post", "resnet-50-post"}));
}

}  // namespace
}  // namespace bitplane::train
