// SPDX-License-Identifier: Apache-2.0
//
// GDRQ against tests/golden/gdrq.json.
#include "trainer/quantizers/gdrq.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <memory>
#include <utility>

#include "golden_support.h"
#include "trainer/ops/quantize.h"
#include "trainer_support.h"

namespace bitplane::train::testing {
namespace {

const QuantizerInfo& gdrq() {
  return *find_quantizer("gdrq");
}

class GdrqGoldenTest : public ::testing::Test {
 protected:
  /// For the weights of the case, in its groups.
  static std::unique_ptr<WeightQuantizer> quantizer_of(const Json& c, OptionValues options) {
    options["group_size"] = c.at("group_size").get<int>();
    const Shape shape = shape_of(c.at("w"));
    return gdrq().make_weights({.bits = c.at("bits"),
                                .out_channels = shape[0],
                                .filter_size = shape[1],
                                .options = std::move(options)});
  }
  /// values_SUFFIX and codes_SUFFIX of the case.
  void expect_quantized(const Json& c, const std::string& suffix, WeightQuantizer& quantizer) {
    SCOPED_TRACE(suffix);
    const Tensor w = tensor(c.at("w"));
    expect_close(quantizer.forward(ctx_, w), c.at("values_" + suffix), "values");
    const std::vector<double> codes = doubles(c.at("codes_" + suffix));
    const WeightExport exported = quantizer.export_weights(w);
    const int modulus = 1 << c.at("bits").get<int>();
    for (std::size_t i = 0; i < codes.size(); ++i) {
      const int k = static_cast<int>(codes[i]);
      const int expected = c.at("bits") == 1 ? (k > 0 ? 1 : 0) : (k + modulus) % modulus;
      EXPECT_EQ(exported.codes[i], expected) << "code " << i;
    }
  }
  /// Groups of consecutive rows of w.
  static std::vector<std::span<const float>> groups_of(const Tensor& w, int group_size) {
    const std::size_t out = w.shape()[0], row = w.shape()[1];
    const std::size_t filters = group_size < 0 ? out : static_cast<std::size_t>(group_size);
    std::vector<std::span<const float>> groups;
    for (std::size_t o = 0; o < out; o += filters)
      groups.push_back(w.values().subspan(o * row, std::min(filters, out - o) * row));
    return groups;
  }
  /// The clip points of a quantizer that searches them, [groups].
  static void alpha_of(WeightQuantizer& quantizer, const std::function<void(Tensor&)>& use) {
    quantizer.visit_state("", {.parameter = [](const std::string&, Parameter&) {},
                               .buffer =
                                   [&](const std::string& name, Tensor& t) {
                                     if (name == "alpha") use(t);
                                   }});
  }
  Backend backend_{{.threads = 2}};
  Context ctx_{backend_};
};

TEST_F(GdrqGoldenTest, Weights) {
  for (const Json& c : golden::cases("gdrq", "weights")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    if (c.at("bits") == 1) {
      expect_quantized(c, "binary", *quantizer_of(c, {}));
      continue;
    }
    expect_quantized(c, "k2", *quantizer_of(c, {{"k_w", 2.0}}));
    expect_quantized(c, "k25", *quantizer_of(c, {{"k_w", 2.5}}));
  }
}

/// With the alpha of the oracle's search as the one that was found.
TEST_F(GdrqGoldenTest, WeightsUpToTheSearchedAlpha) {
  for (const Json& c : golden::cases("gdrq", "weights")) {
    if (c.at("bits") == 1) continue;
    SCOPED_TRACE(c.at("name").get<std::string>());
    const auto quantizer = quantizer_of(c, {{"alpha", "search"}});
    set_state(*quantizer, "age", 1.0F);
    const std::vector<double> alpha = doubles(c.at("alpha_given"));
    alpha_of(*quantizer, [&](Tensor& found) {
      ASSERT_EQ(found.size(), alpha.size());
      for (std::size_t g = 0; g < alpha.size(); ++g) found.mutable_data()[g] = static_cast<float>(alpha[g]);
    });
    expect_quantized(c, "given", *quantizer);
  }
}

/// What a forward gives is as near to the weights as a search of its own says: in training, and of a net that
/// was converted and not trained.
TEST_F(GdrqGoldenTest, AForwardUsesWhatTheSearchFinds) {
  Context evaluation = ctx_;
  evaluation.mode = Mode::Eval;
  for (const Json& c : golden::cases("gdrq", "weights")) {
    if (c.at("bits") == 1) continue;
    SCOPED_TRACE(c.at("name").get<std::string>());
    const Tensor w = tensor(c.at("w"));
    const Tensor y = quantizer_of(c, {{"alpha", "search"}})->forward(ctx_, w);
    const Tensor converted = quantizer_of(c, {{"alpha", "search"}})->forward(evaluation, w);
    EXPECT_EQ(bits_of(converted), bits_of(y));
    const auto before = groups_of(w, c.at("group_size")), after = groups_of(y, c.at("group_size"));
    for (std::size_t g = 0; g < before.size(); ++g) {
      double error = 0, sum = 0;
      for (std::size_t i = 0; i < before[g].size(); ++i) {
        error += std::fabs(static_cast<double>(before[g][i]) - static_cast<double>(after[g][i]));
        sum += std::fabs(static_cast<double>(before[g][i]));
      }
      const double loss = sum > 0 ? error / sum : 0.0;
      EXPECT_LE(loss, doubles(c.at("search_grid_ql"))[g] + 1e-5) << g;
      EXPECT_GE(loss, doubles(c.at("search_exact_ql"))[g] - 1e-5) << g;
    }
  }
}

TEST_F(GdrqGoldenTest, AlphaIsSearchedAgainAfterSearchEverySteps) {
  const auto quantizer = gdrq().make_weights({.bits = 3,
                                              .out_channels = 4,
                                              .filter_size = 9,
                                              .options = {{"alpha", "search"}, {"search_every", 2}}});
  const Tensor w = random_tensor({4, 9}, 7);
  Tensor twice = w.clone();
  for (float& v : twice.mutable_values()) v *= 2.0F;
  const auto alpha_after = [&](const Tensor& weights) {
    (void)quantizer->forward(ctx_, weights);
    std::vector<float> found;
    alpha_of(*quantizer, [&](Tensor& alpha) { found.assign(alpha.values().begin(), alpha.values().end()); });
    return found;
  };
  const std::vector<float> first = alpha_after(w);
  EXPECT_GT(first[0], 0.0F);
  EXPECT_EQ(alpha_after(twice), first) << "the second step keeps what the first one found";
  std::vector<float> doubled = first;
  for (float& v : doubled) v *= 2.0F;
  EXPECT_EQ(alpha_after(twice), doubled) << "the third one searches";
  EXPECT_EQ(alpha_after(w), doubled);
  EXPECT_EQ(alpha_after(w), first);
}

/// By default with the first step of each epoch, however many steps that has.
TEST_F(GdrqGoldenTest, AlphaIsSearchedOnceAnEpoch) {
  const Tensor w = random_tensor({4, 9}, 7);
  Tensor twice = w.clone();
  for (float& v : twice.mutable_values()) v *= 2.0F;
  for (const std::uint64_t steps : {1U, 3U, 700U}) {
    SCOPED_TRACE(steps);
    const auto quantizer = gdrq().make_weights(
        {.bits = 2, .out_channels = 4, .filter_size = 9, .options = {{"alpha", "search"}}});
    const Context ctx{.backend = backend_, .steps_per_epoch = steps};
    float found = 0;
    const auto step = [&](const Tensor& weights) {
      (void)quantizer->forward(ctx, weights);
      alpha_of(*quantizer, [&](Tensor& alpha) { found = alpha.values()[0]; });
    };
    step(w);
    const float first = found;
    ASSERT_GT(first, 0.0F);
    for (std::uint64_t s = 1; s < steps; ++s) step(twice);
    EXPECT_EQ(found, first);
    step(twice);
    EXPECT_EQ(found, 2.0F * first) << "a new epoch";
  }
}

TEST_F(GdrqGoldenTest, SearchEndsBetweenTheGridAndTheOptimum) {
  for (const Json& c : golden::cases("gdrq", "weights")) {
    if (c.at("bits") == 1) continue;
    SCOPED_TRACE(c.at("name").get<std::string>());
    const Tensor w = tensor(c.at("w"));
    const auto groups = groups_of(w, c.at("group_size"));
    const double q = c.at("q");
    for (std::size_t g = 0; g < groups.size(); ++g) {
      const double found = gdrq_loss(groups[g], gdrq_search(groups[g], q), q);
      EXPECT_LE(found, doubles(c.at("search_grid_ql"))[g] + 1e-12) << g;
      EXPECT_GE(found, doubles(c.at("search_exact_ql"))[g] - 1e-12) << g;
      EXPECT_NEAR(gdrq_loss(groups[g], doubles(c.at("alpha_given"))[g], q), doubles(c.at("ql_given"))[g],
                  1e-9);
    }
  }
}

TEST_F(GdrqGoldenTest, Ties) {
  for (const Json& c : golden::cases("gdrq", "ties_weights")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const std::vector<double> w = doubles(c.at("w")), codes = doubles(c.at("codes"));
    const double q = (1 << (c.at("bits").get<int>() - 1)) - 1;
    for (std::size_t i = 0; i < w.size(); ++i) EXPECT_EQ(gdrq_code(w[i], c.at("alpha"), q), codes[i]) << i;
  }
  for (const Json& c : golden::cases("gdrq", "ties_activations")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const auto quantizer = gdrq().make_activations({.bits = c.at("bits")});
    set_state(*quantizer, "clip_point", c.at("T"));
    set_state(*quantizer, "started", 1.0F);
    const std::vector<std::uint8_t> found = quantize_codes(tensor(c.at("x")), quantizer->table());
    const std::vector<double> codes = doubles(c.at("codes"));
    for (std::size_t i = 0; i < codes.size(); ++i) EXPECT_EQ(found[i], codes[i]) << i;
  }
}

TEST_F(GdrqGoldenTest, RunningClipPointOfActivations) {
  for (const Json& c : golden::cases("gdrq", "activations")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const auto quantizer = gdrq().make_activations(
        {.bits = c.at("bits"),
         .options = {{"k_a", c.at("k_a").get<double>()}, {"eta", c.at("eta").get<double>()}}});
    const Tensor all =
        tensor(Json{{"shape", {doubles(c.at("batches")).size()}}, {"data", c.at("batches").at("data")}});
    const std::vector<double> points = doubles(c.at("T")), values = doubles(c.at("values")),
                              mask = doubles(c.at("mask"));
    const std::size_t size = all.size() / points.size();
    for (std::size_t b = 0; b < points.size(); ++b) {
      const Variable x(Tensor::from({size, 1}, all.values().subspan(b * size, size)), Gradient::Required);
      const Variable y = quantize(ctx_, x, *quantizer);
      const float step = quantizer->table().levels[1];
      EXPECT_NEAR(step * static_cast<float>((1 << c.at("bits").get<int>()) - 1), points[b], 1e-5 * points[b]);
      backward(ctx_, y, Tensor::filled(x.shape(), 1.0F));
      for (std::size_t i = 0; i < size; ++i) {
        EXPECT_NEAR(y.value().data()[i], values[b * size + i], 1e-5) << i;
        EXPECT_EQ(x.grad().data()[i], mask[b * size + i]) << i;
      }
    }
  }
}

/// T = 0: every code is 0, and the first batch that is not dead is the one that starts the average.
TEST_F(GdrqGoldenTest, ADeadLayerHasCodesZeroAndStartsWhenItLives) {
  for (const std::size_t bits : {1U, 2U, 8U}) {
    SCOPED_TRACE(bits);
    const auto quantizer = gdrq().make_activations({.bits = bits});
    const Tensor alive = Tensor::from({2, 2}, std::vector<float>{0.0F, 0.5F, 1e30F, 0.5F});
    quantizer->before_batch(ctx_, Tensor::zeros({2, 2}));
    EXPECT_EQ(quantize_codes(alive, quantizer->table()), std::vector<std::uint8_t>(4, 0));
    const engine::Quantize exported = quantizer->export_spec();
    EXPECT_EQ(std::get<engine::UniformBasis>(exported.basis).scale[0], 0.0F);
    EXPECT_TRUE(std::ranges::all_of(exported.thresholds, [](float t) { return std::isfinite(t); }));
    quantizer->before_batch(ctx_, Tensor::filled({2, 2}, 0.5F));
    EXPECT_NEAR(quantizer->table().levels.back(), 4 * 0.5, 1e-6);
  }
}

TEST_F(GdrqGoldenTest, ReshapingContractsToTheMean) {
  for (const Json& c : golden::cases("gdrq", "project")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const Shape shape = shape_of(c.at("w"));
    const WeightQuantizerOptions layer{.bits = 2,
                                       .out_channels = shape[0],
                                       .filter_size = shape[1],
                                       .options = {{"group_size", c.at("group_size").get<int>()},
                                                   {"k_w", c.at("k_w").get<double>()},
                                                   {"reshape", "project"}}};
    // Quantized weights, and the float ones of the procedure's first stage.
    const std::array quantizers{gdrq().make_weights(layer), gdrq().float_weights(layer)};
    for (const auto& quantizer : quantizers) {
      SCOPED_TRACE(quantizer->bits());
      Tensor w = tensor(c.at("w"));
      const std::vector<double> after = doubles(c.at("w_after"));
      for (std::size_t step = 0; step < after.size() / w.size(); ++step) {
        quantizer->constrain(w);
        for (std::size_t i = 0; i < w.size(); ++i) {
          EXPECT_NEAR(w.data()[i], after[step * w.size() + i], 1e-5) << "step " << step << ", " << i;
        }
      }
    }
  }
}

TEST_F(GdrqGoldenTest, WithoutReshapingFloatWeightsAreLeftAlone) {
  EXPECT_EQ(gdrq().float_weights({.bits = 32}), nullptr);
}

}  // namespace
}  // namespace bitplane::train::testing
