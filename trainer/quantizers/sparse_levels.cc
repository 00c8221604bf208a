// SPDX-License-Identifier: Apache-2.0
//
// The constants of SQ(n, theta).
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "trainer/math/transcendental.h"
#include "trainer/quantizers/tsq.h"

namespace bitplane::train {
namespace {

constexpr double kFar = 8.0;  ///< Phi(8) is 1 in double

double normal_density(double x) noexcept {
  constexpr double kInverseRootTau = 0.39894228040143267794;
  return kInverseRootTau * math::exp(-0.5 * x * x);
}

/// Of the standard normal distribution between a and b (b may be beyond kFar): the integrals of 1, x and x^2.
struct Moments {
  double m0, m1, m2;
};
Moments moments_between(double a, double b) noexcept {
  const bool open = b >= kFar;
  const double at_a = normal_density(a), at_b = open ? 0.0 : normal_density(b);
  const double m0 = (open ? 1.0 : normal_cdf(b)) - normal_cdf(a);
  return {.m0 = m0, .m1 = at_a - at_b, .m2 = a * at_a - (open ? 0.0 : b * at_b) + m0};
}

/// As printed, for 2 bits.
struct PrintedLevels {
  double theta;
  SparseLevels levels;
};
constexpr std::array<PrintedLevels, 5> kPrinted{{{0.5, {0.0, 0.5388}},
                                                 {0.5625, {0.16, 0.5914}},
                                                 {0.625, {0.32, 0.6487}},
                                                 {0.6875, {0.49, 0.7139}},
                                                 {0.75, {0.68, 0.7889}}}};

}  // namespace

double normal_cdf(double x) noexcept {
  if (x >= kFar) return 1.0;
  if (x <= -kFar) return 0.0;
  // 1/2 + phi(x) (x + x^3/3 + x^5/(3 5) + ...): all terms have one sign.
  double term = x, sum = x;
  for (int k = 3; std::fabs(term) > 1e-17 * std::fabs(sum); k += 2) {
    term *= x * x / k;
    sum += term;
  }
  return 0.5 + normal_density(x) * sum;
}

double normal_quantile(double p) noexcept {
  if (p == 0.5) return 0.0;
  double low = -kFar, high = kFar;
  constexpr int kHalvings = 80;
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = 0.5 * (low + high);
    (normal_cdf(middle) < p ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

double sparse_error(const SparseLevels& levels, std::size_t bits) noexcept {
  const std::size_t top = (std::size_t{1} << bits) - 1;
  double error = 0, from = levels.epsilon;
  for (std::size_t k = 1; k <= top; ++k) {
    const double middle = (static_cast<double>(k) + 0.5) * levels.delta;
    const double to = k == top ? kFar : std::clamp(middle, from, kFar);
    if (to <= from) continue;
    const Moments m = moments_between(from, to);
    const double level = static_cast<double>(k) * levels.delta;
    error += level * level * m.m0 - 2.0 * level * m.m1 + m.m2;
    from = to;
  }
  return error;
}

double best_sparse_delta(double epsilon, std::size_t bits) noexcept {
  constexpr int kGrid = 240, kSections = 60;
  constexpr double kLowest = 0.3, kHighest = 7.0;  // of the largest level, in standard deviations
  constexpr double kGolden = 0.61803398874989485;
  const auto top = static_cast<double>((std::size_t{1} << bits) - 1);
  const auto error_of = [&](double delta) { return sparse_error({epsilon, delta}, bits); };
  const double cell = (kHighest - kLowest) / kGrid / top;
  double best = kLowest / top, least = error_of(best);
  for (int i = 1; i <= kGrid; ++i) {
    const double delta = kLowest / top + cell * i;
    const double error = error_of(delta);
    if (error < least) {
      least = error;
      best = delta;
    }
  }
  double low = best - cell, high = best + cell;
  for (int i = 0; i < kSections; ++i) {
    const double width = kGolden * (high - low);
    const double left = high - width, right = low + width;
    if (error_of(left) < error_of(right)) {
      high = right;
    } else {
      low = left;
    }
  }
  const double found = 0.5 * (low + high);
  return error_of(found) <= least ? found : best;
}

SparseLevels sparse_levels(std::size_t bits, double theta) noexcept {
  if (bits == 2) {
    for (const PrintedLevels& printed : kPrinted) {
      if (printed.theta == theta) return printed.levels;
    }
  }
  const double epsilon = normal_quantile(theta);
  return {.epsilon = epsilon, .delta = best_sparse_delta(epsilon, bits)};
}

ThresholdTable sparse_table(const SparseLevels& levels, std::size_t bits, BelowEpsilon below) {
  const std::size_t count = std::size_t{1} << bits;
  const auto delta = static_cast<float>(levels.delta);
  ThresholdTable table;
  table.bits = bits;
  for (std::size_t k = 0; k < count; ++k) {
    table.levels.push_back(static_cast<float>(k) * delta);
    if (k == 0) continue;
    const double middle = (static_cast<double>(k) - 0.5) * levels.delta;
    // A tie takes the lower level; level 1 reaches down to epsilon.
    table.thresholds.push_back(
        static_cast<float>(k == 1 ? levels.epsilon : std::max(levels.epsilon, middle)));
  }
  table.code_of_rank.resize(count);
  std::iota(table.code_of_rank.begin(), table.code_of_rank.end(), std::uint8_t{0});
  table.pass_above = below == BelowEpsilon::Learns ? 0.0F : static_cast<float>(levels.epsilon);
  table.pass_up_to = table.levels.back();
  return table;
}

}  // namespace bitplane::train
