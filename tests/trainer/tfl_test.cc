// SPDX-License-Identifier: Apache-2.0
//
// Transformation function learning of one filter: its sums, and what holds for every solution.
#include "trainer/procedures/tfl.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <string>
#include <tuple>
#include <utility>

#include "trainer/math/random.h"
#include "trainer/quantizers/tsq.h"

namespace bitplane::train {
namespace {

/// Random codes, half of them 0.
std::vector<std::uint8_t> random_codes(std::size_t count, unsigned bits, Random& random) {
  std::vector<std::uint8_t> codes(count);
  for (std::uint8_t& code : codes)
    code = random.below(2) == 0 ? std::uint8_t{0} : static_cast<std::uint8_t>(random.below(1U << bits));
  return codes;
}

TEST(Tfl, ProductsAndGramAreTheSumsThatTheyStandFor) {
  for (const auto& [m, samples, bits] : std::vector<std::tuple<std::size_t, std::size_t, unsigned>>{
           {1, 1, 1}, {3, 7, 2}, {65, 8, 2}, {70, 9, 3}, {13, 5000, 8}, {130, 131, 5}}) {
    SCOPED_TRACE(std::to_string(m) + " x " + std::to_string(samples) + ", bits " + std::to_string(bits));
    Random random(m, stream_of("gram"));
    const std::vector<std::uint8_t> x = random_codes(m * samples, bits, random);
    std::vector<double> z(samples), g(m, 99.0);
    for (double& v : z) v = random.normal();
    for (const Intercept intercept : {Intercept::None, Intercept::Learned}) {
      Backend backend{{.threads = 2}};
      const TflInputs inputs(backend, x, m, bits, intercept);
      inputs.multiply(z, g);
      for (std::size_t i = 0; i < m; ++i) {
        double product = 0;
        for (std::size_t n = 0; n < samples; ++n) product += x[i * samples + n] * z[n];
        EXPECT_NEAR(g[i], product, 1e-9 * static_cast<double>(samples << bits));
        for (std::size_t j = 0; j < m; ++j) {
          std::int64_t dot = 0, si = 0, sj = 0;
          for (std::size_t n = 0; n < samples; ++n) {
            dot += x[i * samples + n] * x[j * samples + n];
            si += x[i * samples + n];
            sj += x[j * samples + n];
          }
          const std::int64_t centred = static_cast<std::int64_t>(samples) * dot - si * sj;
          ASSERT_EQ(inputs.gram(i)[j], static_cast<double>(intercept == Intercept::Learned ? centred : dot));
        }
      }
    }
  }
}

/// Codes of a ternary filter, and what solves them.
struct TernaryTruth {
  TernaryTruth(Backend& backend, std::uint64_t seed, double alpha = 0.4)
      : random(seed, stream_of("teacher")),
        inputs(backend, random_codes(kM * kSamples, 2, random), kM, 2, Intercept::Learned),
        solution{.t = std::vector<std::int8_t>(kM), .alpha = alpha, .b = 0.1} {
    for (std::int8_t& t : solution.t) t = static_cast<std::int8_t>(static_cast<int>(random.below(3)) - 1);
    for (std::size_t n = 0; n < kSamples; ++n) y.push_back(tfl_level(table, delta, value(solution, n)));
  }
  [[nodiscard]] double value(const TflSolution& at, std::size_t n) const {
    double v = at.b;
    for (std::size_t j = 0; j < kM; ++j) v += at.alpha * delta * at.t[j] * inputs.row(j)[n];
    return v;
  }
  /// |y - Q(v)|^2
  [[nodiscard]] double error(const TflSolution& at) const {
    double sum = 0;
    for (std::size_t n = 0; n < kSamples; ++n)
      sum += std::pow(y[n] - tfl_level(table, delta, value(at, n)), 2);
    return sum;
  }
  [[nodiscard]] TflProblem problem(TflOutput output) const {
    return {.inputs = inputs, .output = output, .table = &table, .delta = delta, .lambdas = lambdas};
  }

  static constexpr std::size_t kM = 12, kSamples = 300;
  Random random;
  TflInputs inputs;
  ThresholdTable table = sparse_table(sparse_levels(2, 0.625), 2, BelowEpsilon::Stuck);
  double delta = static_cast<double>(table.levels[1]);
  std::vector<TflLambda> lambdas{{0.01, 25}, {1, 25}};
  TflSolution solution;
  std::vector<double> y;
};

TEST(Tfl, TheTruthIsKept) {
  Backend backend;
  std::size_t left = 0;
  for (const double alpha : {0.05, 0.1, 0.2, 0.4}) {
    for (const std::uint64_t seed : {1, 2, 3, 4}) {
      SCOPED_TRACE("alpha " + std::to_string(alpha) + ", seed " + std::to_string(seed));
      const TernaryTruth truth(backend, seed, alpha);
      const TflResult result = TflSolver(truth.problem(TflOutput::Codes)).solve(truth.y, truth.solution);
      EXPECT_EQ(truth.error(result.solution), 0.0);
      left += result.end_error > 0 ? 1 : 0;
    }
  }
  EXPECT_GT(left, 0U) << "Q is flat where the relaxation is not: the alternation leaves some truths";
}

TEST(Tfl, TheTruthIsFoundFromWeightsAroundIt) {
  Backend backend;
  std::size_t found = 0;
  for (const std::uint64_t seed : {1, 2, 3, 4, 5, 6, 7, 8}) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    TernaryTruth truth(backend, seed);
    std::vector<double> w;
    for (const std::int8_t t : truth.solution.t) w.push_back(0.4 * t + 0.2 * truth.random.normal());
    TernaryFilter filter = best_ternary(w);
    EXPECT_NE(filter.t, truth.solution.t);
    const TflSolution start{.t = std::move(filter.t), .alpha = filter.alpha};
    const TflResult result = TflSolver(truth.problem(TflOutput::Codes)).solve(truth.y, start);
    EXPECT_LT(truth.error(result.solution), truth.error(start));
    found += truth.error(result.solution) == 0.0 ? 1 : 0;
  }
  EXPECT_GE(found, 6U) << "there are local minima, but not many";
}

TEST(Tfl, TheObjectiveNeverRisesWhateverTheOutput) {
  Backend backend;
  for (const std::uint64_t seed : {1, 2, 3, 4}) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const TernaryTruth truth(backend, seed);
    for (const TflOutput output : {TflOutput::Codes, TflOutput::Relu}) {
      TflTrace trace;
      (void)TflSolver(truth.problem(output)).solve(truth.y, truth.solution, &trace);
      EXPECT_EQ(trace.size(), truth.lambdas.size());
      for (const std::vector<double>& stage : trace) {
        for (std::size_t i = 1; i < stage.size(); ++i) EXPECT_LE(stage[i], stage[i - 1] * (1 + 1e-12));
      }
    }
  }
}

TEST(Tfl, LearningALinearOutputNeverEndsWorseThanItBegan) {
  Backend backend;
  for (const std::uint64_t seed : {1, 2, 3, 4}) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const TernaryTruth truth(backend, seed);
    TflSolution start{.t = truth.solution.t, .alpha = 0.7, .b = -0.2};
    for (std::size_t j = 0; j < start.t.size(); j += 3)
      start.t[j] = static_cast<std::int8_t>(1 - std::abs(start.t[j]));
    const TflResult result = TflSolver(truth.problem(TflOutput::Linear)).solve(truth.y, start);
    EXPECT_LT(result.end_error, result.start_error);
  }
}

TEST(Tfl, WithoutLambdasTheStartIsTheSolution) {
  Backend backend;
  const TernaryTruth truth(backend, 5);
  TflSolution start{.t = truth.solution.t, .alpha = 0.7, .b = -0.2};
  start.t[3] = static_cast<std::int8_t>(1 - std::abs(start.t[3]));
  for (const TflOutput output : {TflOutput::Codes, TflOutput::Relu, TflOutput::Linear}) {
    TflProblem problem = truth.problem(output);
    problem.lambdas = {};
    const TflResult result = TflSolver(problem).solve(truth.y, start);
    EXPECT_EQ(result.solution.t, start.t);
    EXPECT_NEAR(result.solution.alpha, start.alpha, 1e-12);
    EXPECT_EQ(result.solution.b, start.b);
    EXPECT_EQ(result.end_error, result.start_error);
    EXPECT_GT(result.start_error, 0.0);
  }
}

/// Codes, and y = 0.7 - 0.3 X^T t.
struct FallingLine {
  FallingLine() {
    for (std::size_t n = 0; n < kSamples; ++n) {
      double sum = 0;
      for (std::size_t j = 0; j < kM; ++j) sum += t[j] * codes[j * kSamples + n];
      u.push_back(delta * sum);
      y.push_back(0.7 - 0.3 * u.back());
    }
  }
  /// With `t` for a start.
  [[nodiscard]] TflSolution fit(Intercept intercept) const {
    Backend backend;
    const TflInputs inputs(backend, codes, kM, 2, intercept);
    return TflSolver({.inputs = inputs, .table = &table, .delta = delta}).fit(y, t);
  }
  void expect_negated(const TflSolution& fitted) const {
    for (std::size_t j = 0; j < kM; ++j) EXPECT_EQ(fitted.t[j], -t[j]);
  }

  static constexpr std::size_t kM = 9, kSamples = 100;
  Random random{9, stream_of("fit")};
  std::vector<std::uint8_t> codes = random_codes(kM * kSamples, 2, random);
  ThresholdTable table = sparse_table(sparse_levels(2, 0.5), 2, BelowEpsilon::Stuck);
  double delta = static_cast<double>(table.levels[1]);
  std::vector<std::int8_t> t{1, -1, 0, 1, 1, 0, -1, 0, 1};
  std::vector<double> u, y;
};

TEST(Tfl, ARandomStartIsFittedWithAPositiveScale) {
  const FallingLine line;
  const TflSolution fitted = line.fit(Intercept::Learned);
  EXPECT_NEAR(fitted.alpha, 0.3, 1e-12);
  EXPECT_NEAR(fitted.b, 0.7, 1e-12);
  line.expect_negated(fitted);
}

TEST(Tfl, ARandomStartWithoutInterceptIsALineThroughZero) {
  FallingLine line;
  for (double& y : line.y) y -= 0.65;  // so that its share of the mean does not turn the slope
  double products = 0, squares = 0;
  for (std::size_t n = 0; n < line.y.size(); ++n) {
    products += line.u[n] * line.y[n];
    squares += line.u[n] * line.u[n];
  }
  const TflSolution fitted = line.fit(Intercept::None);
  EXPECT_NEAR(fitted.alpha, -products / squares, 1e-12);
  EXPECT_GT(std::fabs(fitted.alpha - 0.3), 1e-3) << "the same line with and without";
  EXPECT_EQ(fitted.b, 0.0);
  line.expect_negated(fitted);
}

}  // namespace
}  // namespace bitplane::train
