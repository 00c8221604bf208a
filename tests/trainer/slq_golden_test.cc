// SPDX-License-Identifier: Apache-2.0
//
// SLQ, ESLQ and MLQ against the reference vectors: without training between the parts.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <span>

#include "golden_support.h"
#include "trainer/quantizers/clustering/eslq.h"
#include "trainer/quantizers/clustering/k_means.h"
#include "trainer/quantizers/clustering/mlq.h"
#include "trainer/quantizers/clustering/slq.h"
#include "trainer/tensor/backend.h"

namespace bitplane::train::testing {
namespace {

class SlqGolden : public ::testing::Test {
 protected:
  static Tensor filter(const Json& array) {
    const Tensor flat = tensor(array);
    return flat.reshaped({1, flat.size()});
  }
  static WeightQuantizerOptions layer_of(const Json& c, const Tensor& weights) {
    return {.bits = c.value("bits", std::size_t{2}), .out_channels = 1, .filter_size = weights.size()};
  }
  static std::vector<std::uint8_t> indices(const Json& array) { return golden::array<std::uint8_t>(array); }

  /// Codebook, mask (1: trainable) and weights after a part.
  static void expect_state(IncrementalWeights& quantizer, const Tensor& weights, const Json& expected) {
    expect_close(quantizer.levels(), doubles(expected.at("codebook")), kFloatTolerance, "codebook");
    expect_close(weights.values(), doubles(expected.at("weights")), kFloatTolerance, "weights");
    const Tensor frozen = quantizer.frozen();
    const std::vector<double> mask = doubles(expected.at("mask"));
    ASSERT_EQ(mask.size(), frozen.size());
    for (std::size_t i = 0; i < mask.size(); ++i) {
      EXPECT_EQ(1.0 - static_cast<double>(frozen.data()[i]), mask[i]) << i;
    }
  }

  Backend backend_{{.threads = 2}};
  IncrementalWeights::Loss no_loss_ = [] { return 0.0; };
};

TEST_F(SlqGolden, CentresStartAndMoveAsInTheReference) {
  for (const char* kind : {"slq", "eslq"}) {
    for (const Json& c : golden::cases("slq", kind)) {
      SCOPED_TRACE(c.at("name").get<std::string>());
      const Tensor weights = filter(c.at("weights"));
      const auto start = c.at("init") == "linear" ? ClusterStart::Linear : ClusterStart::NonLinear;
      std::vector<float> centres =
          start_centres(start, c.at("k").get<std::size_t>(), largest_magnitude(weights.values()));
      EXPECT_EQ(centres, golden::array(c.at("init_codebook")));
      std::vector<float> pinned(centres.size(), 0.0F);
      pinned[0] = 1.0F;
      k_means(backend_, weights.values(), centres, pinned);
      const Json& first = c.at("iterations").at(0);
      expect_close(std::span<const float>(centres), doubles(first.at("kmeans_codebook")), kFloatTolerance,
                   "k-means");
      EXPECT_EQ(assign_clusters(backend_, weights.values(), centres), indices(first.at("kmeans_assign")));
    }
  }
}

TEST_F(SlqGolden, EveryPartFreezesTheReferencesWeights) {
  for (const char* kind : {"slq", "eslq"}) {
    for (const Json& c : golden::cases("slq", kind)) {
      SCOPED_TRACE(c.at("name").get<std::string>());
      Tensor weights = filter(c.at("weights"));
      WeightQuantizerOptions layer = layer_of(c, weights);
      layer.options["start"] = c.at("init").get<std::string>();
      const auto quantizer =
          c.at("kind") == "eslq" ? std::make_unique<EslqWeights>(layer) : std::make_unique<SlqWeights>(layer);
      ASSERT_EQ(quantizer->parts(), c.at("iterations").size());
      std::vector<float> fixed(quantizer->levels().size(), 0.0F);
      for (const Json& part : c.at("iterations")) {
        SCOPED_TRACE("part " + std::to_string(quantizer->parts_done()));
        quantizer->choose(backend_, weights, no_loss_);
        for (const std::size_t j : golden::array<std::size_t>(part.at("chosen"))) fixed[j] = 1.0F;
        EXPECT_TRUE(std::equal(fixed.begin(), fixed.end(), quantizer->quantized().begin()));
        EXPECT_EQ(assign_clusters(backend_, weights.values(), quantizer->levels()),
                  indices(part.at("assign")));
        quantizer->freeze(backend_, weights);
        expect_state(*quantizer, weights, part);
      }
      EXPECT_FALSE(quantizer->keeps_floats());
    }
  }
}

TEST_F(SlqGolden, MlqBoundariesAndHearts) {
  for (const Json& c : golden::cases("slq", "mlq")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    std::vector<Tensor> weights;
    std::vector<std::unique_ptr<MlqWeights>> layers;
    for (const Json& layer : c.at("layers")) {
      weights.push_back(filter(layer.at("weights")));
      layers.push_back(std::make_unique<MlqWeights>(layer_of(layer, weights.back())));
    }
    for (const Json& event : c.at("events")) {
      const auto l = event.at("layer").get<std::size_t>();
      SCOPED_TRACE("phase " + event.at("phase").dump() + ", layer " + std::to_string(l));
      ASSERT_EQ(layers[l]->parts_done() + 1, event.at("phase").get<std::size_t>());
      if (event.contains("init_codebook") && layers[l]->parts_done() == 0) {
        expect_close(std::span<const float>(mlq_start(weights[l].values())),
                     doubles(event.at("init_codebook")), kFloatTolerance, "start");
      }
      layers[l]->choose(backend_, weights[l], no_loss_);
      EXPECT_EQ(assign_clusters(backend_, weights[l].values(), layers[l]->levels()),
                indices(event.at("assign")));
      layers[l]->freeze(backend_, weights[l]);
      expect_state(*layers[l], weights[l], event);
    }
  }
}

TEST_F(SlqGolden, ProximalCentres) {
  for (const Json& c : golden::cases("slq", "eslq_prox")) {
    const double share = c.at("n_j").get<double>() / c.at("n").get<double>();
    EXPECT_NEAR(solve({.mean = c.at("mu"), .target = c.at("c_hat"), .beta = c.at("beta"), .share = share}),
                c.at("c").get<double>(), 1e-9)
        << c.at("name");
  }
}

TEST_F(SlqGolden, TypesOfCentres) {
  const auto expect_types = [](const Json& c, const std::function<double(double)>& type) {
    const std::vector<double> centres = doubles(c.at("c")), expected = doubles(c.at("type"));
    for (std::size_t i = 0; i < centres.size(); ++i)
      EXPECT_NEAR(type(centres[i]), expected[i], 1e-15) << c.at("name") << ": " << centres[i];
  };
  for (const Json& c : golden::cases("slq", "eslq_types")) {
    expect_types(c, [&](double x) { return nearest_power_of_two(x, c.at("e_min"), c.at("e_max")); });
  }
  for (const Json& c : golden::cases("slq", "eslq_digits")) expect_types(c, two_digits);
}

}  // namespace
}  // namespace bitplane::train::testing
