// SPDX-License-Identifier: Apache-2.0
//
// The losses that decide an order: those of a net whose activation quantizers have seen a batch, and nothing
// of that stays. MLQ takes the costliest layers first.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "trainer/data/batch.h"
#include "trainer/procedures/carry_state.h"
#include "trainer/procedures/incremental.h"
#include "trainer/quantizers/clustering/mlq.h"
#include "trainer/run/build.h"
#include "trainer/run/loaded_run.h"
#include "trainer/run_support.h"

namespace bitplane::train {
namespace {

std::map<std::string, std::vector<float>> state_of(Module& net) {
  std::map<std::string, std::vector<float>> state;
  for (const NamedParameter& p : named_parameters(net)) {
    const auto values = p.parameter->variable.value().values();
    state[p.name].assign(values.begin(), values.end());
  }
  for (const NamedBuffer& b : named_buffers(net))
    state[b.name].assign(b.buffer->values().begin(), b.buffer->values().end());
  return state;
}

/// Mean cross entropy of all training pictures, in double.
double plain_loss(Module& net, Backend& backend, const TrainingData& data, const Task& task) {
  std::vector<std::uint32_t> all(data.train.count);
  std::iota(all.begin(), all.end(), 0U);
  const Batch batch = make_batch(data.train, task.preprocessing, all);
  const Context ctx{.backend = backend, .mode = Mode::Eval, .grad = GradMode::Off};
  const Tensor logits = net.forward(ctx, Variable(batch.pictures)).value();
  const std::size_t classes = logits.shape().back();
  double sum = 0;
  for (std::size_t n = 0; n < all.size(); ++n) {
    double exponentials = 0;
    for (std::size_t c = 0; c < classes; ++c)
      exponentials += std::exp(static_cast<double>(logits.data()[n * classes + c]));
    sum += std::log(exponentials) - static_cast<double>(logits.data()[n * classes + batch.labels[n]]);
  }
  return sum / static_cast<double>(all.size());
}

class LossOrder : public ::testing::Test {
 protected:
  void SetUp() override {
    Config config = testing::small_config(folder_ / "float", kFloatBits, kFloatBits);
    config.epochs = 4;
    Training training = Training::start(config, data_);
    ASSERT_EQ(training.run(testing::silent()), Outcome::Finished);
    before_.emplace(load_run(folder_ / "float", Which::Last));
  }
  static Config config_of(const std::string& method, const std::string& activations, std::size_t wbits) {
    Config config = testing::small_config("", wbits, 2);
    config.method = method;
    config.options = resolve_method({method, wbits, 2, {{"activations", activations}}}).options;
    return config;
  }
  std::unique_ptr<Module> net_of(const Config& config) {
    auto net =
        build_run_net(config, before_->task.input, before_->task.labels.size(), before_->task.preprocessing);
    (void)carry_state(*before_->net, *net);
    return net;
  }
  StageStart start(const StartPoint& point, Module& before, std::uint64_t seed = 1) {
    return {.point = point, .before = before, .seed = seed, .say = [](const std::string&) {}};
  }
  StartPoint point_of(const Config& config, Module& net) {
    return {.config = config, .data = data_, .task = before_->task, .backend = backend_, .net = net};
  }
  /// What the first training batch makes of the activation quantizers; everything else stays.
  void calibrate(const Config& config, Module& net) {
    std::vector<std::uint32_t> order = epoch_order(config.seed, 0, data_.train.count);
    order.resize(config.batch);
    const Context ctx{.backend = backend_, .mode = Mode::Train, .grad = GradMode::Off, .seed = config.seed};
    (void)net.forward(ctx, Variable(make_batch(data_.train, before_->task.preprocessing, order).pictures));
    (void)carry_state(*before_->net, net);
  }
  testing::TemporaryFolder folder_;
  TrainingData data_ = testing::small_data(96, 24);
  Backend backend_{{.features = run_features(), .threads = 1}};
  std::optional<LoadedRun> before_;
};

TEST_F(LossOrder, ThePicturesAreTheSameOnesInEveryStage) {
  data_ = testing::small_data(2200, 24);  // more than are looked at
  Config config = testing::small_config("", 4, kFloatBits);
  config.method = "slq";
  config.options = resolve_method({"slq", 4, kFloatBits, {}}).options;
  const auto net = net_of(config);
  const auto loss = [&](std::uint64_t stage, std::uint64_t procedure) {
    config.seed = stage;
    const StartPoint point = point_of(config, *net);
    return loss_on_subset(start(point, *before_->net, procedure))();
  };
  EXPECT_EQ(loss(1001, 1), loss(2001, 1));
  EXPECT_NE(loss(1001, 1), loss(1001, 2));
}

TEST_F(LossOrder, LossesAreThoseOfActivationsThatHaveSeenABatch) {
  for (const char* activations : {"gdrq", "lsq", "qil", "lq-nets", "pact"}) {
    SCOPED_TRACE(activations);
    const Config config = config_of("slq", activations, 4);
    const auto net = net_of(config), calibrated = net_of(config);
    const auto untouched = state_of(*net);
    const StartPoint point = point_of(config, *net);
    const IncrementalWeights::Loss loss = loss_on_subset(start(point, *before_->net));
    calibrate(config, *calibrated);
    const double wanted = plain_loss(*calibrated, backend_, data_, before_->task);
    EXPECT_NEAR(loss(), wanted, 1e-5);
    EXPECT_EQ(loss(), loss());
    EXPECT_EQ(state_of(*net), untouched) << "training starts from the state of a fresh start";
    const double uncalibrated = plain_loss(*net, backend_, data_, before_->task);
    if (std::string(activations) == "gdrq" || std::string(activations) == "lsq") {
      EXPECT_GT(std::fabs(uncalibrated - wanted), 1e-3) << "nothing to tell apart";
    }
  }
}

TEST_F(LossOrder, LaterStagesAreMeasuredAsTheyAre) {
  const Config config = config_of("slq", "gdrq", 4);
  const auto earlier = net_of(config), net = net_of(config);
  calibrate(config, *earlier);
  (void)carry_state(*earlier, *net);
  const StartPoint point = point_of(config, *net);
  EXPECT_NEAR(loss_on_subset(start(point, *earlier))(), plain_loss(*net, backend_, data_, before_->task),
              1e-5);
}

TEST_F(LossOrder, ActivationsOfOtherBitsAreFreshOnes) {
  Config config = config_of("slq", "lq-nets", 4);
  const auto earlier = net_of(config);
  calibrate(config, *earlier);
  config.abits = 3;  // as many buffers, of another shape
  const auto net = net_of(config), calibrated = net_of(config);
  const StartPoint point = point_of(config, *net);
  calibrate(config, *calibrated);
  EXPECT_NEAR(loss_on_subset(start(point, *earlier))(),
              plain_loss(*calibrated, backend_, data_, before_->task), 1e-5);
}

/// Puts the outer two of three clusters of `w` onto their means, after ten rounds of Lloyd.
void quantize_boundaries(std::vector<float>& w) {
  double mean = 0;
  for (const float x : w) mean += std::fabs(static_cast<double>(x)) / static_cast<double>(w.size());
  double sum = 0, count = 0;
  for (const float x : w) {
    if (std::fabs(static_cast<double>(x)) <= 0.7 * mean) continue;
    sum += std::fabs(static_cast<double>(x));
    count += 1;
  }
  std::vector<double> centre{-sum / count, 0, sum / count};
  const auto nearest = [&](float x) {
    std::size_t best = 0;
    for (std::size_t j = 1; j < 3; ++j) {
      if (std::fabs(static_cast<double>(x) - centre[j]) < std::fabs(static_cast<double>(x) - centre[best]))
        best = j;
    }
    return best;
  };
  for (int round = 0; round < 10; ++round) {
    std::vector<double> sums(3), counts(3);
    for (const float x : w) {
      sums[nearest(x)] += static_cast<double>(x);
      counts[nearest(x)] += 1;
    }
    for (std::size_t j = 0; j < 3; ++j) centre[j] = counts[j] > 0 ? sums[j] / counts[j] : centre[j];
  }
  for (float& x : w) {
    if (nearest(x) != 1) x = static_cast<float>(centre[nearest(x)]);
  }
}

TEST_F(LossOrder, MlqTakesTheCostliestLayersFirst) {
  for (const char* activations : {"gdrq", "lsq"}) {
    SCOPED_TRACE(activations);
    const Config config = config_of("mlq", activations, 2);
    const auto oracle = net_of(config);
    calibrate(config, *oracle);
    std::vector<std::pair<double, std::string>> costs;
    for (const QuantizedLayer& layer : quantized_layers(*oracle)) {
      const Tensor kept = layer.weights->clone();
      std::vector<float> weights(kept.values().begin(), kept.values().end());
      quantize_boundaries(weights);
      std::ranges::copy(weights, layer.weights->mutable_values().begin());
      costs.emplace_back(plain_loss(*oracle, backend_, data_, before_->task), layer.name);
      layer.weights->copy_from(kept);
    }
    std::ranges::sort(costs, std::greater<>());
    for (std::size_t i = 1; i < costs.size(); ++i)
      ASSERT_GT(costs[i - 1].first - costs[i].first, 1e-5) << "too near to tell: " << costs[i].second;

    const auto net = net_of(config);
    const StartPoint point = point_of(config, *net);
    const ProcedureInfo& procedure = find_procedure("mlq");
    const auto stages = procedure.stages(
        config,
        resolve_options("mlq", procedure.options,
                        {{"conv_groups", static_cast<double>(costs.size())}, {"linear_groups", 0.0}}));
    (void)stages.front().prepare(start(point, *before_->net));
    std::vector<std::string> order(costs.size());
    for (const QuantizedLayer& layer : quantized_layers(*net))
      order.at(dynamic_cast<MlqWeights&>(*layer.quantizer).group()) = layer.name;
    for (std::size_t i = 0; i < costs.size(); ++i) EXPECT_EQ(order[i], costs[i].second) << "group " << i;
  }
}

}  // namespace
}  // namespace bitplane::train
