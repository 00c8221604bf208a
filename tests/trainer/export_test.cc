// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "bitplane/engine.h"
#include "bitplane/model_spec.h"
#include "incremental_support.h"
#include "trainer/evaluation/evaluator.h"
#include "trainer/export/describe.h"
#include "trainer/export/export.h"
#include "trainer/methods/method.h"
#include "trainer/nn/layers.h"
#include "trainer/quantizers/weight_levels.h"
#include "trainer/run_support.h"
#include "trainer/trainer_support.h"

namespace bitplane::train {
namespace {

using engine::LearnedBasis;
using engine::PlaneEncoding;
using engine::UniformBasis;

TEST(PackPlanes, BitJOfACodeIsPlaneJ) {
  for (const std::size_t k : {1, 63, 64, 65, 127}) {
    SCOPED_TRACE(k);
    WeightExport weights{.planes = 3, .out_channels = 2, .k = k};
    for (std::size_t e = 0; e < 2 * k; ++e)
      weights.codes.push_back(static_cast<std::uint16_t>((e * 5 + 1) % 8));
    const engine::Planes planes = pack_planes(weights);
    const std::size_t words = (k + 63) / 64;
    ASSERT_EQ(planes.words.size(), 3 * 2 * words);
    std::size_t ones = 0, wanted = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      for (std::size_t o = 0; o < 2; ++o) {
        for (std::size_t t = 0; t < k; ++t) {
          const bool bit = ((planes.words[(i * 2 + o) * words + t / 64] >> (t % 64)) & 1U) != 0;
          EXPECT_EQ(bit, ((weights.codes[o * k + t] >> i) & 1) != 0);
          wanted += bit ? 1U : 0U;
        }
      }
    }
    for (const std::uint64_t word : planes.words) ones += static_cast<std::size_t>(std::popcount(word));
    EXPECT_EQ(ones, wanted) << "pad bits must be zero";
  }
}

TEST(Canonicalize, OneBipolarPlaneBecomesUniformAndKeepsItsValues) {
  WeightExport weights{.planes = 1,
                       .out_channels = 3,
                       .k = 2,
                       .basis = LearnedBasis{{0.5F, -0.25F, -0.0F}},
                       .codes = {0, 1, 0, 1, 1, 0}};
  const std::vector<float> before = dequantize(weights);
  canonicalize(weights);
  EXPECT_EQ(weights.basis, engine::Basis(UniformBasis{{0.5F, 0.25F, 0.0F}}));
  EXPECT_FALSE(std::signbit(std::get<UniformBasis>(weights.basis).scale[2]));
  EXPECT_EQ(weights.codes, (std::vector<std::uint16_t>{0, 1, 1, 0, 1, 0}));
  EXPECT_EQ(dequantize(weights), before);
}

TEST(Canonicalize, SeveralPlanesStayLearned) {
  WeightExport weights{
      .planes = 2, .out_channels = 1, .k = 1, .basis = LearnedBasis{{0.5F, 1.0F}}, .codes = {3}};
  canonicalize(weights);
  EXPECT_TRUE(std::holds_alternative<LearnedBasis>(weights.basis));
}

TEST(Canonicalize, ANegativeUnsignedPlaneStaysLearned) {
  WeightExport weights{.planes = 1,
                       .out_channels = 1,
                       .k = 1,
                       .encoding = PlaneEncoding::Unsigned,
                       .basis = LearnedBasis{{-0.5F}},
                       .codes = {1}};
  canonicalize(weights);
  EXPECT_TRUE(std::holds_alternative<LearnedBasis>(weights.basis));
  const engine::Quantize negative{
      .bits = 1, .basis = LearnedBasis{{-0.5F}}, .thresholds = {-0.25F}, .code_of_rank = {1, 0}};
  EXPECT_EQ(canonicalized(negative), negative);
  engine::Quantize positive = negative;
  positive.basis = LearnedBasis{{0.5F}};
  EXPECT_EQ(canonicalized(positive).basis, engine::Basis(UniformBasis{{0.5F}}));
}

TEST(Dequantize, FollowsEncodingScaleAndOffset) {
  const WeightExport twos{.planes = 2,
                          .out_channels = 2,
                          .k = 2,
                          .encoding = PlaneEncoding::TwosComplement,
                          .basis = UniformBasis{{0.5F, 2.0F}},
                          .offset = {0.0F, 1.0F},
                          .codes = {0, 1, 2, 3}};
  EXPECT_EQ(dequantize(twos), (std::vector<float>{0.0F, 0.5F, -3.0F, -1.0F}));
}

/// A net in evaluation mode, its batch norms and bases moved off their start by a few training passes; all
/// parts are quantized where a method goes part by part.
std::unique_ptr<Module> trained_net(Backend& backend, const MethodSettings& method, const Tensor& pictures) {
  const QuantizationPlan plan = make_plan(resolve_method(method));
  auto net = build_net("cnn-small", {.input = {28, 28, 1}, .classes = 10, .plan = plan});
  initialize_parameters(*net, 3);
  const Context ctx{.backend = backend, .mode = Mode::Train, .grad = GradMode::Off};
  for (int i = 0; i < 8; ++i) (void)net->forward(ctx, Variable(pictures));
  for (const QuantizedLayer& layer : quantized_layers(*net))
    testing::quantize_all_parts(backend, *layer.quantizer, *layer.weights);
  return net;
}

/// All methods, with bits on both sides and on the weights alone; widths and options where arithmetic
/// differs.
std::vector<MethodSettings> described_methods() {
  std::vector<MethodSettings> all{{"float", kFloatBits, kFloatBits},
                                  {"lq-nets", 1, 2},
                                  {"lq-nets", 3, 1},
                                  {"gdrq", 1, 2},
                                  {"gdrq", 3, 3, {{"group_size", 6}}},
                                  {"gdrq", 2, 2, {{"alpha", "search"}, {"group_size", -1}}},
                                  {"qil", 3, 3, {{"weight_scale", "M"}}},
                                  {"dorefa", 1, 2},
                                  {"tsq", kFloatBits, 2}};
  for (const MethodInfo& method : methods()) {
    if (method.name == "float") continue;
    const BitRange weights = weight_bits(method), activations = activation_bits(method);
    const std::size_t wbits = weights.contains(2) ? 2 : weights.min;
    const std::size_t abits = activations.contains(2) ? 2 : activations.min;
    all.push_back({std::string(method.name), wbits, abits});
    all.push_back({std::string(method.name), wbits, kFloatBits});
  }
  return all;
}

/// What is exported is what was trained: the evaluation of the description gives the logits of the trainer's
/// own forward pass. Not bit for bit, because float convolutions of levels round otherwise than sums of
/// planes.
TEST(DescribeNet, LogitsAreThoseOfTheForwardPass) {
  const TrainingData data = testing::small_data(24, 8);
  const Preprocessing preprocessing = measure_preprocessing(data.train);
  std::vector<std::uint32_t> indices(data.train.count);
  std::iota(indices.begin(), indices.end(), 0U);
  const Batch batch = make_batch(data.train, preprocessing, indices);
  Backend backend({.threads = 2});
  for (const MethodSettings& method : described_methods()) {
    SCOPED_TRACE(method.method + " " + std::to_string(method.wbits) + "/" + std::to_string(method.abits));
    const auto net = trained_net(backend, method, batch.pictures);
    const Task task{
        .input = {28, 28, 1}, .labels = data.train.class_names, .preprocessing = preprocessing, .sample = {}};
    const engine::ModelSpec spec = describe_net(layer_graph(*net), task);
    ASSERT_TRUE(engine::validate(spec).ok()) << engine::validate(spec).status().message();
    const Context ctx{.backend = backend, .mode = Mode::Eval, .grad = GradMode::Off};
    const Tensor forward = net->forward(ctx, Variable(batch.pictures)).value();

    const Evaluator evaluator(spec, kernels::detect_cpu());
    Evaluator::Worker worker(evaluator);
    const double tolerance = method.method == "lq-nets" ? 1e-4 : 1e-5;
    std::size_t near = 0;
    constexpr std::size_t kPictures = 8;
    for (std::size_t i = 0; i < kPictures; ++i) {
      evaluator.run(data.train.picture(i), worker);
      double worst = 0, largest = 0;
      for (std::size_t c = 0; c < 10; ++c) {
        const auto wanted = static_cast<double>(forward.values()[i * 10 + c]);
        worst = std::max(worst, std::abs(static_cast<double>(worker.logits()[c]) - wanted));
        largest = std::max(largest, std::abs(wanted));
      }
      near += worst <= tolerance * largest ? 1U : 0U;
    }
    // A code that lies on a threshold may fall to the other side and move a few logits.
    EXPECT_GE(near, method.abits == kFloatBits ? kPictures : kPictures - 2);
  }
}

/// The values that stored weights stand for.
std::vector<float> stored_values(const engine::Weights& weights) {
  if (const auto* floats = std::get_if<engine::FloatWeights>(&weights))
    return {floats->values.begin(), floats->values.end()};
  const auto& book = std::get<engine::CodebookWeights>(weights);
  const engine::Planes& planes = book.indices;
  const bool by_channel = book.scope == engine::CodebookScope::Channel;
  const std::size_t words = (planes.k + 63) / 64;
  const std::size_t levels = book.levels.size() / (by_channel ? planes.rows : 1);
  std::vector<float> values;
  for (std::size_t o = 0; o < planes.rows; ++o) {
    for (std::size_t e = 0; e < planes.k; ++e) {
      std::size_t index = 0;
      for (std::size_t i = 0; i < planes.planes; ++i) {
        const std::uint64_t word = planes.words[(i * planes.rows + o) * words + e / 64];
        index |= ((word >> (e % 64)) & 1U) << i;
      }
      values.push_back(book.levels[(by_channel ? o * levels : 0) + index]);
    }
  }
  return values;
}

/// Of the first layer, which reads float pictures, with every kind of group and scale.
TEST(DescribeNet, GdrqsFirstLayerHasTheWeightsOfTheForwardToTheBit) {
  const TrainingData data = testing::small_data(8, 8);
  const Preprocessing preprocessing = measure_preprocessing(data.train);
  const Batch batch = make_batch(data.train, preprocessing, std::vector<std::uint32_t>{0, 1, 2, 3});
  Backend backend({.threads = 2});
  for (const std::size_t wbits : {1U, 2U, 3U, 8U}) {
    for (const int group_size : {-1, 1, 4, 6}) {
      for (const char* alpha : {"clip", "search"}) {
        SCOPED_TRACE(std::to_string(wbits) + " bits, groups of " + std::to_string(group_size) + ", " + alpha);
        const auto net = trained_net(
            backend, {"gdrq", wbits, 2, {{"group_size", group_size}, {"alpha", alpha}}}, batch.pictures);
        const Task task{.input = {28, 28, 1},
                        .labels = data.train.class_names,
                        .preprocessing = preprocessing,
                        .sample = {}};
        const engine::ModelSpec spec = describe_net(layer_graph(*net), task);
        ASSERT_EQ(spec.nodes[0].name, "conv1");
        const QuantizedLayer first = quantized_layers(*net).front();
        ASSERT_EQ(first.name, "conv1");
        const Tensor wanted =
            first.quantizer->forward({.backend = backend, .mode = Mode::Eval}, *first.weights);
        EXPECT_EQ(stored_values(std::get<engine::Conv2d>(spec.nodes[0].op).weights),
                  std::vector<float>(wanted.values().begin(), wanted.values().end()));
      }
    }
  }
}

TEST(ExportRun, TheFileHoldsLabelsProvenanceAndAGoldenPair) {
  const testing::TemporaryFolder folder;
  const TrainingData data = testing::small_data(32, 8);
  Config config = testing::small_config(folder / "run", 1, 2);
  config.epochs = 1;
  Training training = Training::start(config, data);
  EXPECT_EQ(training.run(testing::silent()), Outcome::Finished);
  write_result(training.folder(), {.step = training.progress().step,
                                   .weights = "averaged",
                                   .data = "synthetic",
                                   .count = 8,
                                   .correct = 1});
  EXPECT_FALSE(export_run(load_run(folder / "run", Which::Last)).provenance.contains("test_accuracy"))
      << "that of other weights";
  write_result(training.folder(), {.step = training.progress().step,
                                   .weights = "trained",
                                   .data = "synthetic",
                                   .count = 8,
                                   .correct = 3});
  const engine::ModelSpec spec = export_run(load_run(folder / "run", Which::Last));
  EXPECT_EQ(spec.labels, data.train.class_names);
  EXPECT_EQ(spec.provenance.at("method"), "lq-nets");
  EXPECT_EQ(spec.provenance.at("weight_bits"), "1");
  EXPECT_EQ(spec.provenance.at("activation_bits"), "2");
  EXPECT_EQ(spec.provenance.at("data"), "synthetic");
  EXPECT_EQ(spec.provenance.at("test_accuracy"), "0.375000");
  EXPECT_TRUE(spec.provenance.contains("trainer_version"));
  for (const engine::Node& node : spec.nodes) {
    if (const auto* conv = std::get_if<engine::Conv2d>(&node.op)) {
      if (const auto* planes = std::get_if<engine::PlaneWeights>(&conv->weights)) {
        EXPECT_TRUE(std::holds_alternative<UniformBasis>(planes->basis)) << node.name;
      }
    }
    if (const auto* quantize = std::get_if<engine::Quantize>(&node.op)) {
      EXPECT_TRUE(std::holds_alternative<LearnedBasis>(quantize->basis)) << node.name;
    }
  }
  const std::string path = folder / "model.safetensors";
  ASSERT_TRUE(engine::write_model(path, spec).ok());
  const auto model = engine::Model::load(path);
  ASSERT_TRUE(model.ok()) << model.status().message();
  const engine::Status checked = engine::self_test(model.value());
  EXPECT_TRUE(checked.ok()) << checked.message();
}

TEST(Codebook, HoldsTheCodesThatOccurByChannelOrByLayer) {
  WeightExport weights{.planes = 2,
                       .out_channels = 2,
                       .k = 3,
                       .encoding = PlaneEncoding::TwosComplement,
                       .basis = UniformBasis{{0.5F, 2.0F}},
                       .codes = {0, 1, 3, 3, 0, 0}};
  const auto per_channel = codebook_of(weights);
  ASSERT_TRUE(per_channel);
  EXPECT_EQ(per_channel->scope, engine::CodebookScope::Channel);
  EXPECT_EQ(per_channel->levels, (std::vector<float>{0.0F, 0.5F, -0.5F, 0.0F, 2.0F, -2.0F}));
  EXPECT_EQ(per_channel->indices, (std::vector<std::uint8_t>{0, 1, 2, 2, 0, 0}));
  EXPECT_EQ(dequantize(*per_channel), dequantize(weights));
  EXPECT_EQ(pack_planes(*per_channel).planes, 2U);
  weights.basis = UniformBasis{{0.5F}};
  const auto of_layer = codebook_of(weights);
  EXPECT_EQ(of_layer->scope, engine::CodebookScope::Layer);
  EXPECT_EQ(of_layer->levels, (std::vector<float>{0.0F, 0.5F, -0.5F}));
  EXPECT_EQ(dequantize(*of_layer), dequantize(weights));
}

/// 16 one-hot planes have 65536 codes, of which 17 occur; more than 256 make no codebook.
TEST(Codebook, OneHotPlanesAreFewLevelsAndTooManyAreNone) {
  WeightExport weights{.planes = 16, .out_channels = 1, .k = 300, .encoding = PlaneEncoding::Unsigned};
  LearnedBasis basis;
  for (int i = 0; i < 16; ++i) basis.values.push_back(static_cast<float>(i - 7) * 0.37F);
  weights.basis = basis;
  for (std::size_t e = 0; e < 300; ++e) {
    weights.codes.push_back(e % 17 == 0 ? std::uint16_t{0} : static_cast<std::uint16_t>(1U << (e % 17 - 1)));
  }
  const auto book = codebook_of(weights);
  ASSERT_TRUE(book);
  EXPECT_EQ(book->levels.size(), 17U);
  EXPECT_EQ(pack_planes(*book).planes, 5U);
  EXPECT_EQ(dequantize(*book), dequantize(weights));
  for (std::size_t e = 0; e < 300; ++e) weights.codes[e] = static_cast<std::uint16_t>(e);
  EXPECT_FALSE(codebook_of(weights));
}

}  // namespace
}  // namespace bitplane::train
