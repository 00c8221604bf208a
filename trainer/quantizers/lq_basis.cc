// SPDX-License-Identifier: Apache-2.0
#include "trainer/quantizers/lq_basis.h"

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

namespace bitplane::train {
namespace {

constexpr int kMaxBits = 8;
using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor, kMaxBits, kMaxBits>;
using Vector = Eigen::Matrix<double, Eigen::Dynamic, 1, Eigen::ColMajor, kMaxBits, 1>;

int bit_value(kernels::Encoding encoding, std::size_t code, std::size_t j) {
  const int bit = static_cast<int>((code >> j) & 1U);
  return encoding == kernels::Encoding::Bipolar ? 2 * bit - 1 : bit;
}

float level_of(kernels::Encoding encoding, std::span<const float> basis, std::size_t code) {
  float level = 0.0F;
  for (std::size_t j = 0; j < basis.size(); ++j) {
    const int e = bit_value(encoding, code, j);
    if (e != 0) level += e > 0 ? basis[j] : -basis[j];
  }
  return level;
}

}  // namespace

ThresholdTable lq_table(kernels::Encoding encoding, std::span<const float> basis) {
  const std::size_t count = std::size_t{1} << basis.size();
  std::vector<float> by_code(count);
  for (std::size_t code = 0; code < count; ++code) by_code[code] = level_of(encoding, basis, code);
  ThresholdTable table;
  table.bits = basis.size();
  table.code_of_rank.resize(count);
  std::iota(table.code_of_rank.begin(), table.code_of_rank.end(), std::uint8_t{0});
  std::stable_sort(table.code_of_rank.begin(), table.code_of_rank.end(),
                   [&](std::uint8_t a, std::uint8_t b) { return by_code[a] < by_code[b]; });
  for (const std::uint8_t code : table.code_of_rank) table.levels.push_back(by_code[code]);
  for (std::size_t l = 0; l + 1 < count; ++l) {
    table.thresholds.push_back((table.levels[l] + table.levels[l + 1]) * 0.5F);
  }
  return table;
}

std::size_t rank_of(std::span<const float> thresholds, float x) noexcept {
  constexpr std::size_t kLinearUpTo = 7;  // three bits
  if (thresholds.size() > kLinearUpTo) {
    return static_cast<std::size_t>(std::lower_bound(thresholds.begin(), thresholds.end(), x) -
                                    thresholds.begin());
  }
  std::size_t rank = 0;
  for (const float t : thresholds) rank += x > t ? 1 : 0;
  return rank;
}

std::vector<double> lq_solve(kernels::Encoding encoding, const ThresholdTable& table,
                             const RankStatistics& statistics, std::span<const double> old) {
  const std::size_t bits = old.size();
  const auto k = static_cast<Eigen::Index>(bits);
  Matrix gram = Matrix::Zero(k, k);
  Vector rhs = Vector::Zero(k);
  for (std::size_t rank = 0; rank < table.levels.size(); ++rank) {
    const auto count = static_cast<double>(statistics.count[rank]);
    for (Eigen::Index i = 0; i < k; ++i) {
      const double e_i = bit_value(encoding, table.code_of_rank[rank], static_cast<std::size_t>(i));
      rhs(i) += e_i * statistics.sum[rank];
      for (Eigen::Index j = 0; j < k; ++j) {
        gram(i, j) +=
            count * e_i * bit_value(encoding, table.code_of_rank[rank], static_cast<std::size_t>(j));
      }
    }
  }
  for (Eigen::Index i = 0; i < k; ++i) {
    gram(i, i) += kLqDelta;
    rhs(i) += kLqDelta * old[static_cast<std::size_t>(i)];
  }
  const Eigen::LDLT<Matrix> factors(gram);
  const Vector found = factors.solve(rhs);
  constexpr double kSmallestPivot = 1e-15;
  if (!(factors.vectorD().minCoeff() >= kSmallestPivot * gram.trace()) || !found.allFinite()) {
    return {old.begin(), old.end()};
  }
  return {found.data(), found.data() + bits};
}

void lq_average(std::span<float> v, std::span<const double> found, std::size_t debiased_step) noexcept {
  double keep = kLqMomentum;
  if (debiased_step > 0) {
    // stored_t = (0.9 (1 - 0.9^(t-1)) stored_(t-1) + 0.1 found) / (1 - 0.9^t)
    double power = 1.0;
    for (std::size_t i = 1; i < debiased_step && power > 1e-20; ++i) power *= kLqMomentum;
    keep = kLqMomentum * (1.0 - power) / (1.0 - kLqMomentum * power);
  }
  for (std::size_t j = 0; j < v.size(); ++j) {
    v[j] = static_cast<float>(keep * static_cast<double>(v[j]) + (1.0 - keep) * found[j]);
  }
}

}  // namespace bitplane::train
