// SPDX-License-Identifier: Apache-2.0
//
// TSQ against tests/golden/sq.json, otwa.json and tfl.json, and against brute force.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numbers>
#include <stdexcept>

#include "golden_support.h"
#include "trainer/math/random.h"
#include "trainer/ops/quantize.h"
#include "trainer/procedures/tfl.h"
#include "trainer/quantizers/list.h"
#include "trainer/quantizers/tsq.h"

namespace bitplane::train::testing {
namespace {

constexpr double kTight = 1e-9;

void expect_near(double got, double expected, double tolerance, const std::string& what) {
  EXPECT_LE(std::fabs(got - expected), tolerance * std::max(1.0, std::fabs(expected)))
      << what << ": got " << got << ", expected " << expected;
}

TEST(SparseLevels, EpsilonAndDeltaAreTheGoldenOnes) {
  for (const Json& c : golden::cases("sq", "solve")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const double epsilon = normal_quantile(c.at("theta"));
    const std::size_t bits = c.at("bits");
    expect_near(epsilon, c.at("epsilon"), kTight, "epsilon");
    const double delta = best_sparse_delta(epsilon, bits);
    expect_near(delta, c.at("delta"), 1e-6, "delta");
    expect_near(sparse_error({epsilon, delta}, bits), c.at("objective"), 1e-6, "objective");
    const double other = c.at("runner_up_objective");
    EXPECT_TRUE(other < 0 || sparse_error({epsilon, delta}, bits) < other);
  }
}

TEST(SparseLevels, ThePrintedTableIsUsedForTwoBitsAndIsNearTheOptimum) {
  for (const Json& c : golden::cases("sq", "table")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const SparseLevels levels = sparse_levels(2, c.at("theta"));
    EXPECT_EQ(levels.epsilon, c.at("epsilon").get<double>());
    EXPECT_EQ(levels.delta, c.at("delta_table").get<double>());
    const double delta = best_sparse_delta(levels.epsilon, 2);
    expect_near(delta, c.at("delta"), 1e-6, "delta");
    EXPECT_NEAR(delta, levels.delta, 3e-4);
    EXPECT_NEAR(best_sparse_delta(normal_quantile(c.at("theta")), 2), levels.delta, 2.2e-3);
  }
  const SparseLevels computed = sparse_levels(2, 0.6);
  EXPECT_EQ(computed.epsilon, normal_quantile(0.6));
}

TEST(SparseLevels, WithoutEpsilonTheyAreTheHalfWaveGaussian) {
  // Steps and mean square errors (given x > 0) of 1 to 5 bits.
  const std::vector<std::pair<double, double>> known{{0.797885, 0.363380},
                                                     {0.538812, 0.086441},
                                                     {0.321729, 0.020406},
                                                     {0.184243, 0.005025},
                                                     {0.102984, 0.001295}};
  for (std::size_t i = 0; i < known.size(); ++i) {
    const double delta = best_sparse_delta(0.0, i + 1);
    EXPECT_NEAR(delta, known[i].first, 2e-6) << i + 1;
    EXPECT_NEAR(2.0 * sparse_error({0.0, delta}, i + 1), known[i].second, 1e-6) << i + 1;
  }
}

/// Against a search in small steps over sums of small cells, up to shares of zeros where hardly anything is
/// left.
TEST(SparseLevels, TheStepIsTheBestOneForAnyShareOfZeros) {
  constexpr double kCell = 1e-3, kEnd = 8.0;
  const auto error_of = [&](double epsilon, double delta, std::size_t bits) {
    const auto top = static_cast<double>((1U << bits) - 1);
    double error = 0;
    for (double x = epsilon + kCell / 2; x < kEnd; x += kCell) {
      const double k = std::clamp(std::ceil(x / delta - 0.5), 1.0, top);
      error += (k * delta - x) * (k * delta - x) * std::exp(-x * x / 2);
    }
    return error;
  };
  const QuantizerInfo& tsq = *find_quantizer("tsq");
  for (const double theta : {0.55, 0.9, 0.99, 0.995, 0.9999}) {
    for (const std::size_t bits : {1U, 2U, 4U}) {
      SCOPED_TRACE(std::to_string(theta) + " " + std::to_string(bits));
      const ThresholdTable table =
          tsq.make_activations({.bits = bits, .options = {{"theta", theta}}})->table();
      const double epsilon = normal_quantile(theta), delta = static_cast<double>(table.levels[1]);
      EXPECT_NEAR(0.5 * std::erfc(epsilon / std::sqrt(2.0)), 1.0 - theta, 1e-12);
      EXPECT_EQ(table.thresholds[0], static_cast<float>(epsilon));
      const double found = error_of(epsilon, delta, bits);
      constexpr int kTries = 400;
      for (int i = 1; i <= kTries; ++i) {
        const double other = 7.0 / static_cast<double>(table.levels.size() - 1) * i / kTries;
        EXPECT_GE(error_of(epsilon, other, bits), found * (1 - 1e-4)) << other << " against " << delta;
      }
    }
  }
}

TEST(SparseLevels, TheErrorOfAllCodesIsLeastAtSixtyTwoAndAHalfPercent) {
  struct Known {
    double theta, above, all;  ///< errors above epsilon, and with what becomes 0
  };
  double least = 1, best_theta = 0;
  for (const auto& [theta, above, all] :
       {Known{0.5, 0.043221, 0.043221}, Known{0.5625, 0.028413, 0.028927}, Known{0.625, 0.019266, 0.023439},
        Known{0.6875, 0.014396, 0.028857}, Known{0.75, 0.012529, 0.048192}}) {
    const double epsilon = normal_quantile(theta);
    const double error = sparse_error({epsilon, best_sparse_delta(epsilon, 2)}, 2);
    EXPECT_NEAR(error, above, 1e-6) << theta;
    // The integral of x^2 phi(x) from 0 to epsilon.
    const double zeroed = 0.5 * std::erf(epsilon / std::sqrt(2.0)) -
                          epsilon * std::exp(-epsilon * epsilon / 2) / std::sqrt(2 * std::numbers::pi);
    EXPECT_NEAR(error + zeroed, all, 1e-6) << theta;
    if (error + zeroed >= least) continue;
    least = error + zeroed;
    best_theta = theta;
  }
  EXPECT_EQ(best_theta, 0.625);
}

TEST(SparseLevels, NormalFunctionsAreInverse) {
  EXPECT_EQ(normal_cdf(0.0), 0.5);
  EXPECT_NEAR(normal_cdf(1.0), 0.84134474606854293, 1e-15);
  EXPECT_NEAR(normal_cdf(-2.0), 0.022750131948179195, 1e-15);
  for (const double p : {0.001, 0.2, 0.5, 0.5625, 0.75, 0.999})
    EXPECT_NEAR(normal_cdf(normal_quantile(p)), p, 1e-15);
}

TEST(SparseActivations, TheOptionSaysWhetherTheGradientPassesBelowEpsilon) {
  const QuantizerInfo& tsq = *find_quantizer("tsq");
  EXPECT_EQ(tsq.make_activations({.bits = 2, .options = {{"pass_below_eps", 1}}})->table().pass_above, 0.0F);
  EXPECT_EQ(tsq.make_activations({.bits = 2})->table().pass_above, 0.32F);
}

TEST(SparseActivations, CodesValuesAndGradientsAreTheGoldenOnes) {
  for (const Json& c : golden::cases("sq", "forward")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const std::size_t bits = c.at("bits");
    const SparseLevels levels{.epsilon = c.at("epsilon"), .delta = c.at("delta")};
    const Tensor x = tensor(c.at("x"));
    for (const auto& [below, mask] :
         {std::pair{BelowEpsilon::Stuck, "mask"}, std::pair{BelowEpsilon::Learns, "mask_pass_below_eps"}}) {
      const ThresholdTable table = sparse_table(levels, bits, below);
      expect_close<float>(table.thresholds, doubles(c.at("thresholds")), 1e-6, "thresholds");
      const std::vector<std::uint8_t> codes = quantize_codes(x, table);
      const std::vector<double> expected = doubles(c.at("codes")), passes = doubles(c.at(mask));
      const std::vector<double> values = doubles(c.at("values"));
      for (std::size_t i = 0; i < codes.size(); ++i) {
        EXPECT_EQ(static_cast<double>(codes[i]), expected[i]) << i;
        EXPECT_NEAR(static_cast<double>(table.levels[codes[i]]), values[i], 1e-5) << i;
        const bool pass = x.data()[i] > table.pass_above && x.data()[i] <= table.pass_up_to;
        EXPECT_EQ(pass ? 1.0 : 0.0, passes[i]) << mask << " " << i << ", x " << x.data()[i];
      }
    }
  }
}

TEST(SparseActivations, TheQuantizerOfTheListUsesThem) {
  const auto quantizer = find_quantizer("tsq")->make_activations({.bits = 2, .options = {{"theta", 0.625}}});
  const ThresholdTable table = quantizer->table();
  EXPECT_EQ(table.thresholds,
            (std::vector<float>{0.32F, static_cast<float>(1.5 * 0.6487), static_cast<float>(2.5 * 0.6487)}));
  const Tensor x = Tensor::from({8}, std::vector<float>{-1, 0.32F, 0.3201F, 0.97F, 0.98F, 1.62F, 1.63F, 9});
  EXPECT_EQ(quantize_codes(x, table), (std::vector<std::uint8_t>{0, 0, 1, 1, 2, 2, 3, 3}));
  // On normal numbers a share theta is 0 and every code occurs.
  Random random(5, stream_of("normal"));
  std::vector<double> counts(4);
  constexpr int kCount = 40000;
  for (int i = 0; i < kCount; ++i) {
    const auto v = static_cast<float>(random.normal());
    std::size_t rank = 0;
    for (const float t : table.thresholds) rank += v > t ? 1 : 0;
    counts[rank] += 1.0 / kCount;
  }
  EXPECT_NEAR(counts[0], normal_cdf(0.32), 3 * std::sqrt(0.25 / kCount));
  for (const double count : counts) EXPECT_GT(count, 0);
}

TEST(Otwa, IsTheGoldenOne) {
  Backend backend;
  const Context ctx{.backend = backend, .mode = Mode::Eval};
  for (const Json& c : golden::cases("otwa")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const Tensor w = tensor(c.at("w"));
    const std::size_t out = w.shape()[0], m = w.shape()[1];
    const std::vector<double> t = doubles(c.at("w_hat")), alpha = doubles(c.at("alpha"));
    for (std::size_t o = 0; o < out; ++o) {
      const TernaryFilter found = best_ternary(w.values().subspan(o * m, m));
      expect_near(found.alpha, alpha[o], kTight, "alpha");
      double error = 0;
      for (std::size_t j = 0; j < m; ++j) {
        EXPECT_EQ(static_cast<double>(found.t[j]), t[o * m + j]);
        const double e = static_cast<double>(w.data()[o * m + j]) - found.alpha * found.t[j];
        error += e * e;
      }
      expect_near(error, doubles(c.at("error"))[o], kTight, "error");
    }
    const auto quantizer =
        find_quantizer("tsq")->make_weights({.bits = 2, .out_channels = out, .filter_size = m});
    expect_close(quantizer->forward(ctx, w), c.at("values"), "values");
  }
}

/// The least |w - alpha t|^2 over all 3^m ternary vectors.
double brute_force(const std::vector<double>& w) {
  double power = 0, best = 0;
  for (const double v : w) power += v * v;
  std::size_t all = 1;
  for (std::size_t j = 0; j < w.size(); ++j) all *= 3;
  for (std::size_t code = 0; code < all; ++code) {
    double dot = 0, size = 0;
    for (std::size_t j = 0, rest = code; j < w.size(); ++j, rest /= 3) {
      const double t = static_cast<double>(rest % 3) - 1.0;
      dot += t * w[j];
      size += t * t;
    }
    if (dot > 0 && size > 0) best = std::max(best, dot * dot / size);
  }
  return power - best;
}

TEST(Otwa, IsTheBestOfAllTernaryVectors) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed, stream_of("otwa"));
    std::vector<double> w(1 + seed % 7);
    for (double& v : w) v = random.normal();
    const TernaryFilter found = best_ternary(w);
    double error = 0;
    for (std::size_t j = 0; j < w.size(); ++j) {
      const double e = w[j] - found.alpha * found.t[j];
      error += e * e;
      EXPECT_EQ(found.t[j] != 0, std::fabs(w[j]) > found.alpha / 2) << "the support is what alpha / 2 cuts";
    }
    EXPECT_NEAR(error, brute_force(w), 1e-12);
  }
}

TEST(Tfl, ZIsTheGoldenOneAndTheBestOfAGrid) {
  for (const Json& c : golden::cases("tfl", "zstep")) {
    const double top = c.at("delta").get<double>() * ((1 << c.at("bits").get<int>()) - 1);
    const double lambda = c.at("lam");
    const std::vector<double> v = doubles(c.at("v")), y = doubles(c.at("y")), z = doubles(c.at("z"));
    for (std::size_t i = 0; i < v.size(); ++i) {
      const double found = tfl_best_z(v[i], y[i], lambda, top);
      expect_near(found, z[i], kTight, "z");
      const auto cost = [&](double at) {
        const double error = y[i] - std::min(top, std::max(0.0, at));
        return error * error + lambda * (at - v[i]) * (at - v[i]);
      };
      for (double at = -4; at < 6; at += 0.001) ASSERT_LE(cost(found), cost(at) + 1e-12) << at;
    }
  }
}

class TflGolden : public ::testing::Test {
 protected:
  static std::vector<double> values_of(const Json& codes, double delta) {
    std::vector<double> y = doubles(codes);
    for (double& v : y) v *= delta;
    return y;
  }
  static std::vector<std::int8_t> ternary(const Json& array) {
    std::vector<std::int8_t> t;
    for (const double v : doubles(array)) t.push_back(static_cast<std::int8_t>(v));
    return t;
  }
  static void expect_trace(const TflTrace& trace, const Json& stages) {
    ASSERT_EQ(trace.size(), stages.size());
    for (std::size_t s = 0; s < trace.size(); ++s) {
      const std::vector<double> expected = doubles(stages[s].at("objective"));
      expect_close<double>(trace[s], expected, kTight, "objective");
      for (std::size_t i = 1; i < trace[s].size(); ++i)
        EXPECT_LE(trace[s][i], trace[s][i - 1] * (1 + 1e-12)) << "F rises at step " << i;
    }
  }
};

TEST_F(TflGolden, EveryStepOfEveryCase) {
  Backend backend{{.threads = 2}};
  for (const Json& c : golden::cases("tfl", "tfl")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const std::vector<double> x = doubles(c.at("x_codes"));
    const std::size_t m = shape_of(c.at("x_codes"))[0], bits = c.at("bits");
    const double delta = c.at("delta");
    const TflInputs inputs(backend, {x.begin(), x.end()}, m, bits,
                           c.at("intercept") ? Intercept::Learned : Intercept::None);
    const ThresholdTable table =
        sparse_table({.epsilon = c.at("epsilon"), .delta = delta}, bits, BelowEpsilon::Stuck);
    std::vector<TflLambda> lambdas;
    for (std::size_t s = 0; s < doubles(c.at("lambdas")).size(); ++s) {
      lambdas.push_back(
          {doubles(c.at("lambdas"))[s], static_cast<std::size_t>(doubles(c.at("alternation_caps"))[s])});
    }
    TflSolver solver(
        {.inputs = inputs, .output = TflOutput::Codes, .table = &table, .delta = delta, .lambdas = lambdas});
    for (const Json& channel : c.at("channels")) {
      const TernaryFilter start = best_ternary(doubles(channel.at("w")));
      EXPECT_EQ(start.t, ternary(channel.at("otwa_w_hat")));
      TflTrace trace;
      const TflResult result =
          solver.solve(values_of(channel.at("y_codes"), delta),
                       {.t = start.t, .alpha = start.alpha, .b = channel.at("b0")}, &trace);
      expect_trace(trace, channel.at("stages"));
      expect_near(result.start_error, channel.at("true_error_initial"), kTight, "error of the start");
      expect_near(result.end_error, channel.at("true_error_final"), kTight, "error of the end");
      EXPECT_EQ(result.solution.t, ternary(channel.at("w_hat")));
      expect_near(result.solution.alpha, channel.at("alpha"), kTight, "alpha");
      expect_near(result.solution.b, channel.at("b"), kTight, "b");
    }
  }
}

}  // namespace
}  // namespace bitplane::train::testing
