// SPDX-License-Identifier: Apache-2.0
#include "trainer/optim/weight_average.h"

#include <gtest/gtest.h>

#include <map>

#include "trainer/nn/layers.h"
#include "trainer_support.h"

namespace bitplane::train::testing {
namespace {

Sequential small_net() {
  Sequential net;
  net.emplace<Linear>("fc", LinearOptions{.in_features = 5, .out_features = 7});
  net.emplace<BatchNorm>("bn", BatchNormModuleOptions{.channels = 7});
  return net;
}

void randomize(Sequential& net, std::uint64_t seed) {
  for (const NamedParameter& p : named_parameters(net)) {
    p.parameter->variable.mutable_value().copy_from(random_tensor(p.parameter->variable.shape(), seed++));
  }
  for (const NamedBuffer& b : named_buffers(net))
    b.buffer->copy_from(random_tensor(b.buffer->shape(), seed++));
}

std::map<std::string, std::vector<float>> values_of(Sequential& net) {
  std::map<std::string, std::vector<float>> values;
  for (const NamedParameter& p : named_parameters(net)) {
    const auto v = p.parameter->variable.value().values();
    values[p.name] = {v.begin(), v.end()};
  }
  for (const NamedBuffer& b : named_buffers(net))
    values[b.name] = {b.buffer->values().begin(), b.buffer->values().end()};
  return values;
}

TEST(WeightAverageTest, FollowsTheWeightsSlowlyAndStandsInForThem) {
  Backend backend;
  Sequential net = small_net();
  randomize(net, 1);
  auto expected = values_of(net);
  WeightAverage average(net, 0.75);
  for (std::uint64_t step = 0; step < 60; ++step) {
    randomize(net, 100 * (step + 1));
    average.update(backend, step);
    const double t = static_cast<double>(step);
    const double decay = std::min(0.75, (1 + t) / (10 + t));
    for (const auto& [name, now] : values_of(net)) {
      for (std::size_t i = 0; i < now.size(); ++i) {
        expected[name][i] = static_cast<float>(decay * expected[name][i] + (1 - decay) * now[i]);
      }
    }
  }
  const auto trained = values_of(net);
  {
    const WeightAverage::InPlace averaged(average);
    const auto shown = values_of(net);
    EXPECT_EQ(shown.size(), 6U);
    for (const auto& [name, values] : shown) {
      for (std::size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], expected[name][i], 1e-5) << name;
    }
  }
  EXPECT_EQ(values_of(net), trained) << "and the trained weights are back";
}

TEST(WeightAverageTest, OnlyRunningStatisticsAmongTheBuffers) {
  EXPECT_TRUE(is_averaged_buffer("layer1.0.bn1.running_mean"));
  EXPECT_TRUE(is_averaged_buffer("bn.running_var"));
  EXPECT_FALSE(is_averaged_buffer("conv2.quantizer.basis"));
}

}  // namespace
}  // namespace bitplane::train::testing
