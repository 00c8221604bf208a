// SPDX-License-Identifier: Apache-2.0
//
// Transformation function learning of a whole net: what is written back computes what was learned.
#include "trainer/procedures/tfl_layers.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <span>

#include "trainer/procedures/carry_state.h"
#include "trainer/procedures/tfl_site.h"
#include "trainer/quantizers/tsq.h"
#include "trainer/run/build.h"
#include "trainer/run_support.h"
#include "trainer/trainer_support.h"

namespace bitplane::train {
namespace {

Config tsq_config(std::size_t wbits, const std::string& net) {
  Config config = testing::small_config("", wbits, 2);
  config.method = "tsq";
  config.net = net;
  config.options = resolve_method({"tsq", wbits, 2}).options;
  return config;
}

Task task_of(const TrainingData& data) {
  return {.input = {data.train.height, data.train.width, data.train.channels},
          .labels = data.train.class_names,
          .preprocessing = measure_preprocessing(data.train, "channel"),
          .sample = {}};
}

/// One layer that is learned, behind which a pooling stands in front of a batch norm with scale and shift.
/// The batch norm in front of it has the statistics of the last batch, so that its codes are the same in
/// training and in evaluation.
constexpr const char* kPooledNet = R"({"layers": [
    {"type": "conv", "name": "conv1", "channels": 8, "stride": 2, "place": "first"},
    {"type": "batch_norm", "name": "bn1", "momentum": 0}, {"type": "relu"}, {"type": "quantize"},
    {"type": "conv", "name": "conv2", "channels": 12}, {"type": "max_pool", "name": "pool2"},
    {"type": "batch_norm", "name": "bn2", "epsilon": 0.5}, {"type": "relu", "name": "relu2"},
    {"type": "global_average_pool"}, {"type": "linear", "features": "classes", "place": "last"}]})";

/// Batch norms between the layers that are learned and a sum, and one behind the sum. That of the branch has
/// an epsilon that counts.
constexpr const char* kSumNet = R"({"layers": [
    {"type": "conv", "name": "conv1", "channels": 8, "stride": 2, "place": "first"},
    {"type": "batch_norm", "name": "bn1", "momentum": 0}, {"type": "relu"}, {"type": "quantize"},
    {"type": "residual", "name": "sum",
     "branch": [{"type": "conv", "name": "conv", "channels": 12},
                {"type": "batch_norm", "name": "bn", "epsilon": 0.5}],
     "shortcut": [{"type": "conv", "name": "conv", "channels": 12, "kernel": 1, "pad": 0},
                  {"type": "batch_norm", "name": "bn"}]},
    {"type": "batch_norm", "name": "bn3"}, {"type": "relu"},
    {"type": "global_average_pool"}, {"type": "linear", "features": "classes", "place": "last"}]})";

/// The same for a concatenation.
constexpr const char* kJoinedNet = R"({"layers": [
    {"type": "conv", "name": "conv1", "channels": 8, "stride": 2, "place": "first"},
    {"type": "batch_norm", "name": "bn1", "momentum": 0}, {"type": "relu"}, {"type": "quantize"},
    {"type": "branches", "name": "joined", "ways": [
       {"name": "a", "layers": [{"type": "conv", "name": "conv", "channels": 12},
                                {"type": "batch_norm", "name": "bn"}]},
       {"name": "b", "layers": [{"type": "conv", "name": "conv", "channels": 8}]}]},
    {"type": "batch_norm", "name": "bn3"}, {"type": "relu"},
    {"type": "global_average_pool"}, {"type": "linear", "features": "classes", "place": "last"}]})";

const std::vector<TflLambda> kFew{{0.01, 3}, {1, 3}};  ///< alternations that take little time

/// A net with float weights whose running statistics are those of its batches, and the one with ternary
/// weights that takes over.
class TflLayersTest : public ::testing::Test {
 protected:
  void make(const std::string& name) { make(tsq_config(2, name)); }
  void make(const Config& config) {
    ternary_ = config;
    task_.preprocessing = run_preprocessing(config, task_.preprocessing);
    before_ = build(kFloatBits);
    const Context train{.backend = backend_, .grad = GradMode::Off};
    for (int i = 0; i < 20; ++i) (void)before_->forward(train, Variable(pictures()));
    for (const NamedParameter& p : named_parameters(*before_)) {
      // Signs and sizes that batch norm has after training.
      if (!p.name.ends_with("gamma")) continue;
      std::size_t c = 0;
      for (float& v : p.parameter->variable.mutable_value().mutable_values())
        v = (c++ % 3 == 0 ? -0.7F : 1.3F);
    }
  }
  [[nodiscard]] std::unique_ptr<Module> build(std::size_t wbits) const {
    Config config = ternary_;
    config.wbits = wbits;
    return build_run_net(config, task_.input, task_.labels.size(), task_.preprocessing);
  }
  [[nodiscard]] Tensor pictures() const {
    std::vector<std::uint32_t> indices(data_.train.count);
    for (std::uint32_t i = 0; i < indices.size(); ++i) indices[i] = i;
    return make_batch(data_.train, task_.preprocessing, indices).pictures;
  }
  std::unique_ptr<Module> learn(Backend& backend, const TflOptions& options) {
    auto net = build(2);
    EXPECT_TRUE(carry_state(*before_, *net).unused.empty());
    found_ = learn_transformation(
        {.config = ternary_, .data = data_, .task = task_, .backend = backend, .net = *net}, *before_,
        options, [](const std::string&) {});
    return net;
  }
  std::map<std::string, Tensor> outputs_of(Module& net) {
    std::map<std::string, Tensor> outputs;
    const Context eval{.backend = backend_, .mode = Mode::Eval, .grad = GradMode::Off};
    net.watch(eval, Variable(pictures()), "",
              [&](const std::string& name, const Variable& value) { outputs[name] = value.value(); });
    return outputs;
  }
  /// Mean square difference of one layer's output, relative to its mean square.
  double difference(Module& net, const std::string& layer) {
    return difference(outputs_of(*before_).at(layer), outputs_of(net).at(layer));
  }
  /// Of evaluation as it is, and of the first training step, with the statistics of its batch.
  double difference_to_first_step(Module& net) {
    const Context eval{.backend = backend_, .mode = Mode::Eval, .grad = GradMode::Off};
    const Context train{.backend = backend_, .grad = GradMode::Off};
    const Tensor learned = net.forward(eval, Variable(pictures())).value();
    return difference(learned, net.forward(train, Variable(pictures())).value());
  }
  static double difference(const Tensor& a, const Tensor& b) {
    double sum = 0, power = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      const double d = static_cast<double>(a.data()[i]) - static_cast<double>(b.data()[i]);
      sum += d * d;
      power += static_cast<double>(a.data()[i]) * static_cast<double>(a.data()[i]);
    }
    return sum / power;
  }

  TrainingData data_ = testing::small_data(30, 10);
  Task task_ = task_of(data_);
  Backend backend_{{.threads = 2}};
  std::unique_ptr<Module> before_;
  Config ternary_;
  nlohmann::ordered_json found_;
};

TEST_F(TflLayersTest, LearnedWeightsReproduceTheCodesBetterThanTheBestTernaryOnes) {
  make("cnn-small");
  const auto otwa = learn(backend_, {.lambdas = {}});
  const auto learned = learn(backend_, {});
  ASSERT_EQ(found_.at("layers").size(), 4U);
  for (const auto& layer : found_.at("layers"))
    EXPECT_LT(layer.at("end_error").get<double>(), 0.9 * layer.at("start_error").get<double>()) << layer;
  // The first ternary layer (behind a pooling) sees the same codes in both; the last one has batch norm with
  // scale and shift, and a ReLU.
  for (const char* layer : {"quant2", "relu5"}) {
    SCOPED_TRACE(layer);
    EXPECT_LT(difference(*learned, layer), 0.95 * difference(*otwa, layer));
    EXPECT_LT(difference(*learned, layer), 1.0) << "1 is the error of nothing but zeros";
  }
}

TEST_F(TflLayersTest, WhatIsReportedIsWhatTheNetDoes) {
  make("cnn-small");
  // All positions of all pictures: the error of conv4, behind no pooling, is that of quant4.
  const auto learned = learn(backend_, {.positions = 10000, .lambdas = kFew});
  const auto& layer = found_.at("layers").at(2);
  EXPECT_EQ(layer.at("layer"), "conv4");
  EXPECT_NEAR(difference(*learned, "quant4"), layer.at("end_error").get<double>(), 1e-4);
  const auto& last = found_.at("layers").at(3);
  EXPECT_NEAR(difference(*learned, "relu5"), last.at("end_error").get<double>(), 1e-4);
}

TEST_F(TflLayersTest, InputsAreThoseOfTheFloatNetWhenItIsSymmetric) {
  make("cnn-small");
  const auto learned = learn(backend_, {.front = TflFront::Float, .positions = 10000, .lambdas = kFew});
  // The float net with one ternary layer.
  const auto one = build(kFloatBits);
  EXPECT_TRUE(carry_state(*before_, *one).unused.empty());
  const NetState from(*learned), to(*one);
  for (const char* name : {"conv4.weight", "bn4.running_mean", "bn4.running_var"})
    to.at(name).copy_from(from.at(name));
  const double error = found_.at("layers").at(2).at("end_error");
  EXPECT_NEAR(difference(*one, "quant4"), error, 1e-4);
  EXPECT_GT(difference(*learned, "quant4"), error + 0.01) << "behind ternary layers it is another one";
}

TEST_F(TflLayersTest, TrainingBehindAPoolingBeginsWithTheLearnedFunction) {
  make(kPooledNet);
  const auto net = learn(backend_, {.positions = 10000});
  EXPECT_LT(difference_to_first_step(*net), 1e-3);
}

/// Mean of each channel.
std::vector<double> means_of(const Tensor& t) {
  const std::size_t channels = t.shape()[t.shape().rank() - 1];
  std::vector<double> means(channels);
  for (std::size_t i = 0; i < t.size(); ++i)
    means[i % channels] +=
        static_cast<double>(t.data()[i]) * static_cast<double>(channels) / static_cast<double>(t.size());
  return means;
}

TEST_F(TflLayersTest, BatchNormsAtTheEndsOfBranchesAndBehindProjectionsAreFound) {
  for (const char* net : {"resnet-18-cifar", "resnet-18", "resnet-50", "resnet-18-post", "resnet-20-post"}) {
    SCOPED_TRACE(net);
    Config config = tsq_config(2, net);
    config.width = 0.0625;
    const auto built = build_run_net(config, {32, 32, 3}, 10);
    std::size_t linear = 0;
    for (const TflSite& site : tfl_sites(layer_graph(*built))) {
      EXPECT_FALSE(site.norm.empty()) << site.name;
      linear += site.output == TflOutput::Linear ? 1 : 0;
    }
    EXPECT_GT(linear, 0U) << "those in front of the sums";
  }
}

TEST_F(TflLayersTest, InFrontOfASumTheBatchNormIsPartOfWhatIsLearned) {
  make(kSumNet);
  const auto net = learn(backend_, {.positions = 10000});
  ASSERT_EQ(found_.at("layers").size(), 2U);
  const auto wanted = outputs_of(*before_), got = outputs_of(*net);
  for (std::size_t l = 0; l < 2; ++l) {
    const auto& layer = found_.at("layers").at(l);
    const std::string conv = layer.at("layer"), norm = conv.substr(0, conv.size() - 4) + "bn";
    SCOPED_TRACE(norm);
    EXPECT_NEAR(difference(wanted.at(norm), got.at(norm)), layer.at("end_error").get<double>(), 1e-4);
    // Least squares with an intercept leave no mean.
    const std::vector<double> target = means_of(wanted.at(norm)), mean = means_of(got.at(norm));
    for (std::size_t o = 0; o < mean.size(); ++o) EXPECT_NEAR(mean[o], target[o], 1e-4) << o;
  }
  EXPECT_LT(difference_to_first_step(*net), 1e-6);
}

TEST_F(TflLayersTest, BatchNormsBehindASumOrAConcatenationHaveTheStatisticsOfWhatTheyReadNow) {
  for (const auto& [text, input] : {std::pair{kSumNet, "sum.add"}, std::pair{kJoinedNet, "joined.concat"}}) {
    SCOPED_TRACE(input);
    make(text);
    const auto net = learn(backend_, {.positions = 10000, .lambdas = {}});
    const NetState state(*net), before(*before_);
    const std::vector<double> mean = means_of(outputs_of(*net).at(input));
    for (std::size_t o = 0; o < mean.size(); ++o)
      EXPECT_NEAR(static_cast<double>(state.at("bn3.running_mean").data()[o]), mean[o], 1e-4) << o;
    // Whatever the sum is now, its scale and shift are those that were trained.
    for (const char* name : {"bn3.gamma", "bn3.beta"})
      EXPECT_EQ(testing::bits_of(state.at(name)), testing::bits_of(before.at(name))) << name;
    EXPECT_LT(difference_to_first_step(*net), 1e-6);
  }
}

/// Without an intercept: no batch norm and no bias follows the layer itself.
TEST_F(TflLayersTest, InAWayThatEndsWithAConvolutionWhatIsReportedIsWhatTheNetDoes) {
  make(kJoinedNet);
  const auto net = learn(backend_, {.positions = 10000, .lambdas = kFew});
  const auto& layer = found_.at("layers").at(1);
  EXPECT_EQ(layer.at("layer"), "joined.b.conv");
  const double error = layer.at("end_error");
  EXPECT_NEAR(difference(*net, "joined.b.conv"), error, 1e-4);
  EXPECT_LT(error, layer.at("start_error").get<double>());
}

/// Such as branches begin with: they are their beta, whatever their weights.
TEST_F(TflLayersTest, AChannelWithoutScaleKeepsItsFilterAndItsShift) {
  make(kSumNet);
  const NetState before(*before_);
  before.at("sum.bn.gamma").mutable_values()[5] = 0.0F;
  before.at("sum.bn.beta").mutable_values()[5] = 0.4F;
  const auto net = learn(backend_, {.positions = 10000, .lambdas = kFew});
  const NetState state(*net);
  EXPECT_EQ(state.at("sum.bn.gamma").data()[5], 0.0F);
  EXPECT_FLOAT_EQ(state.at("sum.bn.beta").data()[5], 0.4F);
  const std::span<const float> trained = before.at("sum.conv.weight").values(),
                               written = state.at("sum.conv.weight").values();
  const std::size_t m = trained.size() / 12;
  const TernaryFilter best = best_ternary(trained.subspan(5 * m, m));
  for (std::size_t j = 0; j < m; ++j)
    EXPECT_EQ(written[5 * m + j], static_cast<float>(best.alpha) * static_cast<float>(best.t[j])) << j;
  const auto layers = found_.at("layers");
  EXPECT_NEAR(difference(*net, "sum.bn"), layers.at(0).at("end_error").get<double>(), 1e-4);
  EXPECT_LT(difference_to_first_step(*net), 1e-6);
}

TEST_F(TflLayersTest, ABatchNormThatIsQuantizedWithoutAReluHasCodesForTargets) {
  make(R"({"layers": [
    {"type": "conv", "name": "conv1", "channels": 8, "stride": 2, "place": "first"},
    {"type": "batch_norm", "name": "bn1"}, {"type": "quantize"},
    {"type": "conv", "name": "conv2", "channels": 12}, {"type": "batch_norm", "name": "bn2"},
    {"type": "quantize", "name": "quant2"}, {"type": "global_average_pool"},
    {"type": "linear", "features": "classes", "place": "last"}]})");
  const auto net = learn(backend_, {.positions = 10000, .lambdas = kFew});
  EXPECT_NEAR(difference(*net, "quant2"), found_.at("layers").at(0).at("end_error").get<double>(), 1e-4);
}

/// Weights that are ternary already: a target that can be met at every position.
TEST_F(TflLayersTest, WhatIsMetInFrontOfAPoolingIsMetBehindIt) {
  make(kPooledNet);
  const std::span<float> weights = NetState(*before_).at("conv2.weight").mutable_values();
  const std::size_t filter = weights.size() / 12;
  for (std::size_t o = 0; o < 12; ++o) {
    const TernaryFilter ternary = best_ternary(weights.subspan(o * filter, filter));
    for (std::size_t j = 0; j < filter; ++j)
      weights[o * filter + j] = static_cast<float>(ternary.alpha) * static_cast<float>(ternary.t[j]);
  }
  const Tensor gamma = NetState(*before_).at("bn2.gamma");
  EXPECT_LT(gamma.data()[0], 0) << "of a falling batch norm the pooling leaves the least";
  EXPECT_GT(gamma.data()[1], 0);
  const auto net = learn(backend_, {.lambdas = {}});
  EXPECT_LT(found_.at("layers").at(0).at("end_error").get<double>(), 1e-9);
  EXPECT_LT(difference(*net, "relu2"), 1e-9);
}

TEST_F(TflLayersTest, InFrontOfAnEightBitLastLayerTheTargetIsTheRelu) {
  Config config = tsq_config(2, "vgg-7");
  config.width = 0.0625;
  config.first_last = kFirstLastBytes;
  make(config);
  const auto learned = learn(backend_, {.pictures = 30});
  const auto& last = found_.at("layers").back();
  EXPECT_EQ(last.at("layer"), "fc7");
  EXPECT_NEAR(difference(*learned, "relu7"), last.at("end_error").get<double>(), 1e-4);
}

TEST_F(TflLayersTest, WithoutAlternationsTheFirstWeightsAreTheLast) {
  make("resnet-20");
  const auto net = learn(backend_, {.pictures = 12, .positions = 4, .lambdas = {}});
  EXPECT_EQ(found_.at("layers").size(), quantized_layers(*net).size());
  for (const auto& layer : found_.at("layers"))
    EXPECT_EQ(layer.at("end_error"), layer.at("start_error")) << layer;
}

TEST_F(TflLayersTest, NetsWithBranchesAndBatchNormsInFrontWork) {
  make("resnet-20");
  const auto learned = learn(backend_, {.pictures = 12, .positions = 4});
  EXPECT_EQ(found_.at("layers").size(), quantized_layers(*learned).size());
}

TEST_F(TflLayersTest, ThreadsAndRunsChangeNothing) {
  make("cnn-small");
  const auto bits = [&](std::size_t threads) {
    Backend backend{{.threads = threads}};
    const auto net = learn(backend, {.start = TflStart::Random, .front = TflFront::Float, .pictures = 30});
    std::vector<std::uint32_t> all;
    for (const NamedParameter& p : named_parameters(*net)) {
      const auto some = testing::bits_of(p.parameter->variable.value());
      all.insert(all.end(), some.begin(), some.end());
    }
    return all;
  };
  const auto one = bits(1);
  EXPECT_EQ(bits(3), one);
}

}  // namespace
}  // namespace bitplane::train
