// SPDX-License-Identifier: Apache-2.0
//
// What quantizers tell the metrics of an epoch.
#include "trainer/run/readings.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "trainer/ops/quantize.h"
#include "trainer/quantizers/list.h"
#include "trainer/quantizers/running_clip.h"
#include "trainer_support.h"

namespace bitplane::train::testing {
namespace {

class ReadingsTest : public ::testing::Test {
 protected:
  Backend backend_{{.threads = 1}};
  Context ctx_{backend_};
};

/// Names are keys of one JSON object, and JSON has no infinities.
void expect_names_and_numbers(const std::vector<Reading>& readings) {
  std::set<std::string> names;
  for (const Reading& reading : readings) {
    EXPECT_TRUE(names.insert(reading.name).second) << reading.name << " twice";
    EXPECT_TRUE(std::isfinite(reading.value)) << reading.name;
  }
}

/// A step or level that runs away is to be seen before the accuracy tells it.
TEST_F(ReadingsTest, EachQuantizerThatTrainsNumbersTellsThem) {
  for (const QuantizerInfo* info : quantizers()) {
    SCOPED_TRACE(info->name);
    if (info->weights != nullptr) {
      const auto weights = info->make_weights(
          {.bits = info->weight_bits.max, .out_channels = 4, .filter_size = 18, .kernel_area = 9});
      static_cast<void>(weights->forward(ctx_, random_tensor({4, 3, 3, 2}, 1)));
      EXPECT_TRUE(weights->trained().empty() || !weights->readings().empty());
      expect_names_and_numbers(weights->readings());
    }
    if (info->activations != nullptr) {
      const auto activations = info->make_activations({.bits = info->activation_bits.max});
      static_cast<void>(quantize(ctx_, Variable(random_tensor({50, 4}, 2)), *activations));
      EXPECT_TRUE(activations->trained().empty() || !activations->readings().empty());
      expect_names_and_numbers(activations->readings());
    }
  }
}

TEST_F(ReadingsTest, LsqTellsTheStepThatItUses) {
  const Tensor x = Tensor::from({1, 4}, std::vector<float>{0.5F, 1.0F, 1.5F, 1.0F});
  const auto activations = find_quantizer("lsq")->make_activations({.bits = 2});
  static_cast<void>(quantize(ctx_, Variable(x), *activations));
  const auto step = static_cast<double>(activations->table().levels[1]);
  EXPECT_EQ(activations->readings(), (std::vector<Reading>{{"step", step}}));
  EXPECT_NEAR(step, 2.0 / std::sqrt(3.0), 1e-6);
  const auto weights = find_quantizer("lsq")->make_weights({.bits = 2, .out_channels = 1, .filter_size = 4});
  static_cast<void>(weights->forward(ctx_, x));
  EXPECT_EQ(weights->readings(), (std::vector<Reading>{{"step", 2.0}}));
}

TEST_F(ReadingsTest, BasesAreToldPlaneByPlane) {
  const auto activations = find_quantizer("lq-nets")->make_activations({.bits = 2});
  static_cast<void>(quantize(ctx_, Variable(random_tensor({50, 4}, 3)), *activations));
  const auto basis = std::get<engine::LearnedBasis>(activations->export_spec().basis).values;
  EXPECT_EQ(activations->readings(), (std::vector<Reading>{{"basis_0", static_cast<double>(basis[0])},
                                                           {"basis_1", static_cast<double>(basis[1])}}));
  const auto weights =
      find_quantizer("lq-nets")->make_weights({.bits = 2, .out_channels = 2, .filter_size = 18});
  const Tensor w = random_tensor({2, 18}, 4);
  static_cast<void>(weights->forward(ctx_, w));
  const auto of_filters = std::get<engine::LearnedBasis>(weights->export_weights(w).basis).values;
  const std::vector<Reading> readings = weights->readings();
  ASSERT_EQ(readings.size(), 2U);
  for (std::size_t j = 0; j < 2; ++j) {
    EXPECT_FLOAT_EQ(static_cast<float>(readings[j].value), (of_filters[2 * j] + of_filters[2 * j + 1]) / 2);
  }
}

TEST_F(ReadingsTest, RunningClipsAreTold) {
  const auto gdrq = find_quantizer("gdrq")->make_activations({.bits = 2});
  RunningClip of_first_layer({.bits = 8});
  for (ActivationQuantizer* activations : {gdrq.get(), static_cast<ActivationQuantizer*>(&of_first_layer)}) {
    static_cast<void>(quantize(ctx_, Variable(Tensor::filled({5, 2}, 0.5F)), *activations));
    EXPECT_EQ(activations->readings(), (std::vector<Reading>{{"clip_point", 2.0}})) << "4 mean|x|";
  }
}

}  // namespace
}  // namespace bitplane::train::testing
