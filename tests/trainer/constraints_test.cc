// SPDX-License-Identifier: Apache-2.0
//
// What a method holds its weights and its trained numbers to holds after each step of the optimizer: in the
// net, in the checkpoint, and so in the evaluation and in the next stage.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "trainer/methods/method.h"
#include "trainer/run/build.h"
#include "trainer/run/loaded_run.h"
#include "trainer/run_support.h"

namespace bitplane::train::testing {
namespace {

/// Two steps at the rate, from bits and options; the run is left in the folder.
Training train_two_steps(const TemporaryFolder& folder, const MethodSettings& method, double lr,
                         const std::string& groups = "") {
  Config config = small_config(folder / "run", method.wbits, method.abits);
  config.method = method.method;
  config.options = resolve_method(method).options;
  config.epochs = 1;
  config.lr = lr;
  config.groups = groups;
  config.schedule = "constant";
  static const TrainingData data = small_data(64, 16);
  Training training = Training::start(config, data);
  EXPECT_EQ(training.run(silent()), Outcome::Finished);
  return training;
}

/// The largest magnitude of any weight that is quantized.
float largest_quantized(Module& net) {
  float largest = 0.0F;
  for (const QuantizedLayer& layer : quantized_layers(net)) {
    for (const float w : layer.weights->values()) largest = std::max(largest, std::fabs(w));
  }
  return largest;
}

TEST(Constraints, SignWeightsEndWithinOne) {
  for (const std::size_t abits : {std::size_t{1}, kFloatBits}) {
    SCOPED_TRACE(abits);
    const TemporaryFolder folder;
    Training training = train_two_steps(folder, {abits == 1 ? "bnn" : "binaryconnect", 1, abits}, 0.05,
                                        "conv?.weight: lr=1e6");
    EXPECT_EQ(largest_quantized(training.net()), 1.0F) << "the rate does not reach the clip";
    const LoadedRun saved = load_run(folder / "run", Which::Last);
    EXPECT_EQ(largest_quantized(*saved.net), 1.0F);
  }
}

/// Clips to twice the mean magnitude, as the definition has it.
void clip_to_two_means(std::span<float> w) {
  double sum = 0;
  for (const float v : w) sum += std::fabs(static_cast<double>(v));
  const auto bound = static_cast<float>(2.0 * sum / static_cast<double>(w.size()));
  for (float& v : w) v = std::min(std::max(v, -bound), bound);
}

/// At a rate too low to move a weight: clipped at the start and once after each step, which is never the
/// same, since clipped weights have a smaller mean.
TEST(Constraints, ReshapedWeightsAreClippedOnceAStepAndTheLastOneToo) {
  const TemporaryFolder folder;
  Training training =
      train_two_steps(folder, {"gdrq", kFloatBits, 8, {{"reshape", "project"}, {"group_size", -1}}}, 1e-30);
  const auto start = build_run_net(training.config(), {28, 28, 1}, 10);
  const std::vector<QuantizedLayer> before = quantized_layers(*start);
  const std::vector<QuantizedLayer> after = quantized_layers(training.net());
  ASSERT_EQ(before.size(), after.size());
  for (std::size_t i = 0; i < after.size(); ++i) {
    SCOPED_TRACE(after[i].name);
    const std::span<float> wanted = before[i].weights->mutable_values();
    for (int clip = 0; clip < 3; ++clip) clip_to_two_means(wanted);
    EXPECT_TRUE(std::ranges::equal(after[i].weights->values(), wanted));
  }
}

/// By the layer's name and the number's, of weights and activations.
std::map<std::string, double> trained_numbers(Module& net) {
  std::map<std::string, double> found;
  for (const NamedParameter& p : named_parameters(net)) {
    if (p.parameter->role == ParameterRole::Quantizer && p.parameter->variable.value().size() == 1)
      found[p.name] = static_cast<double>(p.parameter->variable.value().data()[0]);
  }
  return found;
}

TEST(Constraints, StepsOfLsqStayAboveTheirFloor) {
  const TemporaryFolder folder;
  train_two_steps(folder, {"lsq", 2, 2}, 0.05, "role=quantizer: lr=1e6");
  const auto steps = trained_numbers(*load_run(folder / "run", Which::Last).net);
  ASSERT_EQ(steps.size(), 8U);
  std::size_t at_floor = 0;
  for (const auto& [name, step] : steps) {
    EXPECT_GE(step, static_cast<double>(1e-6F)) << name;
    at_floor += step == static_cast<double>(1e-6F) ? 1U : 0U;
  }
  EXPECT_GT(at_floor, 0U) << "the rate does not reach the floor";
}

TEST(Constraints, ClipPointsOfPactStayAboveTheirFloor) {
  const TemporaryFolder folder;
  train_two_steps(folder, {"pact", 2, 2}, 0.05, "*.clip_point: lr=1e6");
  std::size_t points = 0, at_floor = 0;
  const LoadedRun saved = load_run(folder / "run", Which::Last);
  for (const NamedParameter& p : named_parameters(*saved.net)) {
    if (!p.name.ends_with("clip_point")) continue;
    const float point = p.parameter->variable.value().data()[0];
    EXPECT_GE(point, 1e-4F) << p.name;
    ++points;
    at_floor += point == 1e-4F ? 1U : 0U;
  }
  EXPECT_EQ(points, 4U);
  EXPECT_GT(at_floor, 0U) << "the rate does not reach the floor";
}

/// Of the weights of a layer, as the definition has it: the mean of the magnitudes above a twentieth of the
/// largest.
double first_level_of_ttq(std::span<const float> weights) {
  float largest = 0.0F;
  for (const float w : weights) largest = std::max(largest, std::fabs(w));
  double sum = 0, count = 0;
  for (const float w : weights) {
    if (std::fabs(w) <= 0.05F * largest) continue;
    sum += std::fabs(static_cast<double>(w));
    count += 1;
  }
  return sum / count;
}

TEST(Constraints, LevelsOfTtqBeginAtTheMeanMagnitudeAndStayPositive) {
  const TemporaryFolder still, moved;
  Training training = train_two_steps(still, {"ttq", 2, kFloatBits}, 1e-30);
  const auto start = build_run_net(training.config(), {28, 28, 1}, 10);
  const auto first = trained_numbers(training.net());
  const std::vector<QuantizedLayer> layers = quantized_layers(*start);
  ASSERT_EQ(first.size(), 2 * layers.size());
  for (const QuantizedLayer& layer : layers) {
    const double level = first_level_of_ttq(layer.weights->values());
    std::size_t found = 0;
    for (const auto& [name, value] : first) {
      if (!name.starts_with(layer.name + ".")) continue;
      EXPECT_NEAR(value, level, 1e-6 * level) << name;
      ++found;
    }
    EXPECT_EQ(found, 2U) << layer.name;
  }

  train_two_steps(moved, {"ttq", 2, kFloatBits}, 0.05, "role=quantizer: lr=1e6");
  std::size_t at_floor = 0;
  for (const auto& [name, level] : trained_numbers(*load_run(moved / "run", Which::Last).net)) {
    EXPECT_GE(level, static_cast<double>(1e-6F)) << name;
    at_floor += level == static_cast<double>(1e-6F) ? 1U : 0U;
  }
  EXPECT_GT(at_floor, 0U) << "the rate does not reach the floor";
}

/// Half widths stay above a thousandth of their start, centres above (1 - 1/q) of the half width by as much.
TEST(Constraints, IntervalsOfQilAreProjected) {
  const TemporaryFolder folder;
  train_two_steps(folder, {"qil", 3, 3}, 0.05, "role=quantizer: lr=1000");
  const LoadedRun saved = load_run(folder / "run", Which::Last);
  const auto numbers = trained_numbers(*saved.net);
  ASSERT_EQ(numbers.size(), 16U);
  std::map<std::string, double> starts;
  for (const NamedBuffer& b : named_buffers(*saved.net))
    starts[b.name] = static_cast<double>(b.buffer->data()[0]);
  std::size_t at_floor = 0;
  for (const auto& [name, half_width] : numbers) {
    if (!name.ends_with("half_width")) continue;
    const std::string layer = name.substr(0, name.size() - std::string("half_width").size());
    const double least = 1e-3 * starts.at(layer + "start");
    const double q = name.starts_with("conv") ? 3.0 : 7.0;
    EXPECT_GE(half_width, least * (1.0 - 1e-6)) << name;
    EXPECT_GE(numbers.at(layer + "centre"), (half_width * (1.0 - 1.0 / q) + least) * (1.0 - 1e-6)) << name;
    at_floor += half_width < 1.001 * least ? 1U : 0U;
  }
  EXPECT_GT(at_floor, 0U) << "the rate does not reach the floor";
}

}  // namespace
}  // namespace bitplane::train::testing
