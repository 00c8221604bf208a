// SPDX-License-Identifier: Apache-2.0
//
// What the methods find on densities whose optima are known: LQ-Nets' alternation, the steps of HWGQ and QIL,
// GDRQ's search and its reshaping. Normal densities come as their moments or their quantiles, so that no
// sample's noise is in the way.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <vector>

#include "golden_support.h"
#include "trainer/quantizers/gdrq.h"
#include "trainer/quantizers/lq_activations.h"
#include "trainer/quantizers/lq_basis.h"
#include "trainer/quantizers/lq_weights.h"
#include "trainer/quantizers/qil.h"
#include "trainer/quantizers/tsq.h"

namespace bitplane::train::testing {
namespace {

constexpr double kEndless = std::numeric_limits<double>::infinity();

/// Of a standard normal distribution between two bounds: the integrals of 1, x and x^2.
struct PartMoments {
  double m0, m1, m2;
  /// Of (x - level)^2.
  [[nodiscard]] double error(double level) const { return m2 - 2.0 * level * m1 + level * level * m0; }
};

PartMoments part_moments(double a, double b) {
  const auto density = [](double x) { return std::exp(-0.5 * x * x) / std::sqrt(2.0 * std::numbers::pi); };
  const auto first = [&](double x) { return std::isinf(x) ? 0.0 : x * density(x); };
  // Of the tail that is the smaller one, so that nothing cancels.
  const auto tail = [](double x) { return 0.5 * std::erfc(x / std::numbers::sqrt2); };
  const double m0 = a >= 0 ? tail(a) - tail(b) : tail(-b) - tail(-a);
  return {.m0 = m0, .m1 = density(a) - density(b), .m2 = first(a) - first(b) + m0};
}

/// LQ-Nets (Zhang, Yang, Ye, Hua, ECCV 2018) on a standard normal distribution: bipolar codes on all of it,
/// 0/1 codes on its positive half.
class QemOptima : public ::testing::Test {
 protected:
  struct Step {
    double error;           ///< of the basis before it
    std::vector<double> v;  ///< after it
  };
  static Step step(kernels::Encoding encoding, const std::vector<double>& v) {
    constexpr double kMany = 1e12;  // values: next to them the pull to the old basis is nothing
    const bool half = encoding == kernels::Encoding::Unsigned;
    const ThresholdTable table = lq_table(encoding, std::vector<float>(v.begin(), v.end()));
    RankStatistics statistics;
    double from = half ? 0.0 : -kEndless, error = 0;
    for (std::size_t rank = 0; rank < table.levels.size(); ++rank) {
      const double to =
          rank < table.thresholds.size() ? static_cast<double>(table.thresholds[rank]) : kEndless;
      const PartMoments part = part_moments(from, to);
      const double density = half ? 2.0 : 1.0;
      statistics.count.push_back(static_cast<std::uint64_t>(kMany * density * part.m0));
      statistics.sum.push_back(kMany * density * part.m1);
      error += density * part.error(static_cast<double>(table.levels[rank]));
      from = to;
    }
    return {.error = error, .v = lq_solve(encoding, table, statistics, v)};
  }
  static std::vector<double> start_of(Quantizer& quantizer, std::size_t bits) {
    const std::span<const float> all = state_of(quantizer, "basis").values();
    return {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(bits)};
  }
  /// Steps until nothing moves; the error never rises.
  static Step optimum(kernels::Encoding encoding, std::vector<double> v) {
    constexpr int kEnough = 3000;
    double last = kEndless;
    for (int i = 0; i < kEnough; ++i) {
      const Step next = step(encoding, v);
      EXPECT_LE(next.error, last + 1e-7) << "step " << i;  // levels are floats
      last = next.error;
      v = next.v;
    }
    return step(encoding, v);
  }
};

TEST_F(QemOptima, OfWeightsFromTheirOwnStart) {
  struct Known {
    std::vector<double> v;
    double error, first_error;
  };
  // One and two bits: the Lloyd-Max levels. More have better optima elsewhere.
  const Known known[] = {{{0.79788}, 0.363380, 0.378604},
                         {{0.52882, 0.98160}, 0.117482, 0.173153},
                         {{0.3010, 0.6069, 1.1578}, 0.036943, 0.107226},
                         {{0.2037, 0.3702, 0.7450, 1.2323}, 0.011442, 0.083788}};
  for (const auto& [v, error, first_error] : known) {
    SCOPED_TRACE(v.size());
    // Two outputs of one pixel: the start for weights of deviation 1.
    LqWeights quantizer({.bits = v.size(), .out_channels = 2});
    const std::vector<double> start = start_of(quantizer, v.size());
    EXPECT_NEAR(step(kernels::Encoding::Bipolar, start).error, first_error, 1e-6);
    const Step found = optimum(kernels::Encoding::Bipolar, start);
    EXPECT_NEAR(found.error, error, 1e-6);
    expect_close<double>(found.v, v, v.size() <= 2 ? 1e-5 : 1e-4, "v");
  }
}

TEST_F(QemOptima, OfActivationsFromTheirOwnStart) {
  struct Known {
    std::vector<double> v;
    double error;
  };
  const Known known[] = {{{1.22401}, 0.190174},
                         {{0.65217, 1.30002}, 0.046859},
                         {{0.35254, 0.70361, 1.41853}, 0.012886},
                         {{0.19246, 0.38480, 0.76906, 1.55412}, 0.003690}};
  for (const auto& [v, error] : known) {
    SCOPED_TRACE(v.size());
    LqActivations quantizer({.bits = v.size()});
    const Step found = optimum(kernels::Encoding::Unsigned, start_of(quantizer, v.size()));
    EXPECT_NEAR(found.error, error, 1e-6);
    expect_close<double>(found.v, v, 1e-5, "v");
  }
}

std::vector<float> normal_quantiles(std::size_t count) {
  std::vector<float> x;
  for (std::size_t i = 0; i < count; ++i)
    x.push_back(
        static_cast<float>(normal_quantile((static_cast<double>(i) + 0.5) / static_cast<double>(count))));
  return x;
}

/// Once the codes of a sample stay, so does the basis, but for the pull to the old one.
TEST_F(QemOptima, ABasisWhoseCodesStayIsAFixedPoint) {
  const std::vector<float> x = normal_quantiles(400);
  for (std::size_t bits = 1; bits <= 4; ++bits) {
    SCOPED_TRACE(bits);
    LqWeights quantizer({.bits = bits, .out_channels = 2});
    std::vector<double> v = start_of(quantizer, bits);
    std::vector<std::uint64_t> counts;
    bool stays = false;
    for (int i = 0; i < 200 && !stays; ++i) {
      const ThresholdTable table =
          lq_table(kernels::Encoding::Bipolar, std::vector<float>(v.begin(), v.end()));
      RankStatistics statistics{std::vector<std::uint64_t>(table.levels.size()),
                                std::vector<double>(table.levels.size())};
      for (const float value : x) {
        const std::size_t rank = rank_of(table.thresholds, value);
        ++statistics.count[rank];
        statistics.sum[rank] += static_cast<double>(value);
      }
      const std::vector<double> next = lq_solve(kernels::Encoding::Bipolar, table, statistics, v);
      stays = statistics.count == counts;
      if (stays) expect_close<double>(next, v, 1e-7, "v");
      counts = statistics.count;
      v = next;
    }
    EXPECT_TRUE(stays);
  }
}

/// HWGQ's steps (Cai, He, Sun, Vasconcelos, CVPR 2017) are the best ones; that of 2 bits has the digits of
/// the public configuration.
TEST(KnownOptima, StepsOfHwgq) {
  for (std::size_t bits = 1; bits <= 5; ++bits) {
    SCOPED_TRACE(bits);
    const auto quantizer = find_quantizer("hwgq")->make_activations({.bits = bits});
    const double step = static_cast<double>(quantizer->table().levels[1]);
    EXPECT_NEAR(step, best_sparse_delta(0.0, bits), bits == 2 ? 1e-3 : 5e-5);
    EXPECT_TRUE(bits != 2 || step == static_cast<double>(0.538F)) << step;
  }
}

/// Two positive levels that are not uniform lose least where each is the mean of its part.
TEST(KnownOptima, PairOfHwgq) {
  const auto quantizer =
      find_quantizer("hwgq")->make_activations({.bits = 2, .options = {{"levels", "non-uniform"}}});
  const auto error_of = [](double low, double high) {
    const double middle = 0.5 * (low + high);
    return part_moments(0.0, middle).error(low) + part_moments(middle, kEndless).error(high);
  };
  const std::vector<float> levels = quantizer->table().levels;
  const auto low = static_cast<double>(levels[1]), high = static_cast<double>(levels[2]);
  const double least = error_of(low, high);
  for (const double step : {-0.005, 0.005}) {
    EXPECT_GT(error_of(low + step, high), least);
    EXPECT_GT(error_of(low, high + step), least);
  }
}

/// Mean square error on the positive half of a normal distribution of q D = top, rounded to the nearest.
double nearest_error(double q, double top) {
  const double d = top / q;
  double error = 0;
  for (double k = 0; k <= q; ++k) {
    const double from = k == 0 ? 0.0 : (k - 0.5) * d, to = k == q ? kEndless : (k + 0.5) * d;
    error += 2.0 * part_moments(from, to).error(k * d);
  }
  return error;
}

/// QIL's first interval is q/2 times the best step for a normal distribution, to three digits.
TEST(KnownOptima, StartOfQil) {
  struct Known {
    double q, kappa;
  };
  constexpr double kGolden = 0.61803398874989485;
  for (const auto& [q, kappa] :
       {Known{1, 0.61200}, Known{3, 0.97615}, Known{7, 1.23694}, Known{15, 1.44936}, Known{31, 1.63506},
        Known{63, 1.80373}, Known{127, 1.96025}, Known{255, 2.10734}}) {
    SCOPED_TRACE(q);
    double low = 0.8, high = 6.0;  // of q D
    for (int i = 0; i < 60; ++i) {
      const double width = kGolden * (high - low);
      const double left = high - width, right = low + width;
      if (nearest_error(q, left) < nearest_error(q, right)) {
        high = right;
      } else {
        low = left;
      }
    }
    EXPECT_NEAR(0.25 * (low + high), kappa, 1e-5);
    EXPECT_NEAR(qil_start(q, 1.0).c, kappa, 5e-4);
    EXPECT_EQ(qil_start(q, 1.0).c, qil_start(q, 1.0).d);
  }
}

/// GDRQ (Yu, Wen, Cheng, Sun, Han, Shi, 2019): magnitudes of the three densities of its figure, at their
/// quantiles.
class GdrqOptima : public ::testing::Test {
 protected:
  static std::vector<float> magnitudes(std::size_t count, const std::function<double(double)>& quantile) {
    std::vector<float> w;
    for (std::size_t i = 0; i < count; ++i)
      w.push_back(static_cast<float>(quantile((static_cast<double>(i) + 0.5) / static_cast<double>(count))));
    return w;
  }
  static std::vector<float> uniform(std::size_t count) {
    return magnitudes(count, [](double p) { return p; });
  }
  static std::vector<float> gauss(std::size_t count) {
    return magnitudes(count, [](double p) { return normal_quantile(0.5 + 0.5 * p); });
  }
  static std::vector<float> laplace(std::size_t count) {
    return magnitudes(count, [](double p) { return -std::log(1.0 - p); });
  }
};

/// The step is alpha / q; q = 8 stands for alpha / 2^(n-1) with 4 bits, which the figure shows.
TEST_F(GdrqOptima, OfTheSearch) {
  struct Known {
    double q, gauss, gauss_alpha, laplace, laplace_alpha;
  };
  const std::vector<float> flat = uniform(20000), normal = gauss(20000), steep = laplace(20000);
  for (const Known& k : {Known{1, 0.4257, 1.03, 0.5, 1.3863}, Known{3, 0.2073, 1.63, 0.2701, 2.40},
                         Known{7, 0.1067, 2.04, 0.1498, 3.26}, Known{8, 0.0955, 2.10, 0.1356, 3.40}}) {
    SCOPED_TRACE(k.q);
    const auto expect_optimum = [&](const std::vector<float>& w, double loss, double alpha) {
      const double found = gdrq_search(w, k.q);
      EXPECT_NEAR(found, alpha, 0.015);
      EXPECT_NEAR(gdrq_loss(w, found, k.q), loss, 3e-4);
    };
    expect_optimum(flat, 1.0 / (2.0 * k.q + 1.0), 2.0 * k.q / (2.0 * k.q + 1.0));
    expect_optimum(normal, k.gauss, k.gauss_alpha);
    expect_optimum(steep, k.laplace, k.laplace_alpha);
    // With k = 2 the clip point of a uniform density is its end.
    EXPECT_NEAR(gdrq_loss(flat, 1.0, k.q), 1.0 / (2.0 * k.q), 1e-4);
  }
}

TEST_F(GdrqOptima, LossesFallWithTheBitsAndRiseWithTheTails) {
  std::array<double, 3> last{1, 1, 1};
  for (int bits = 2; bits <= 8; ++bits) {
    SCOPED_TRACE(bits);
    const double q = (1 << (bits - 1)) - 1;
    std::array<double, 3> least{};
    for (std::size_t i = 0; const std::vector<float>& w : {uniform(3000), gauss(3000), laplace(3000)}) {
      least[i] = gdrq_loss(w, gdrq_search(w, q), q);
      EXPECT_LT(least[i], last[i]) << "density " << i;
      ++i;
    }
    EXPECT_LT(least[0], least[1]);
    EXPECT_LT(least[1], least[2]);
    last = least;
  }
}

/// k mean(min(|w|, T)), again and again.
TEST_F(GdrqOptima, OfRepeatedReshaping) {
  struct Known {
    double k, limit;
  };
  for (const auto& [k, limit] : {Known{1.5, 0.88994}, Known{2, 1.47040}, Known{3, 2.37612}, Known{0.9, 0}}) {
    SCOPED_TRACE(k);
    std::vector<float> w = normal_quantiles(20000);
    double last = gdrq_reshape(w, k);
    EXPECT_NEAR(last, k * std::sqrt(2.0 / std::numbers::pi), 2e-4);
    for (int i = 0; i < 150; ++i) last = gdrq_reshape(w, k);
    EXPECT_NEAR(last, limit, 2e-4);
  }
}

}  // namespace
}  // namespace bitplane::train::testing
