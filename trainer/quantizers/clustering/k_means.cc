// SPDX-License-Identifier: Apache-2.0
#include "trainer/quantizers/clustering/k_means.h"

#include <algorithm>
#include <cmath>

#include "trainer/quantizers/blocked_sums.h"

namespace bitplane::train {

int floor_log2(double x) noexcept {
  int exponent = 0;
  std::frexp(x, &exponent);  // x = m 2^exponent, 1/2 <= m < 1
  return exponent - 1;
}

float largest_magnitude(std::span<const float> weights) noexcept {
  float largest = 0.0F;
  for (const float w : weights) largest = std::max(largest, std::fabs(w));
  return largest;
}

std::vector<float> start_centres(ClusterStart start, std::size_t k, float largest) {
  std::vector<float> centres(k, 0.0F);
  if (largest == 0.0F) return centres;
  const double p = std::ldexp(1.0, floor_log2(static_cast<double>(largest)));
  for (std::size_t j = 0; 2 * j + 2 < k; ++j) {
    const auto step = static_cast<double>(j);
    const double magnitude = start == ClusterStart::NonLinear
                                 ? std::ldexp(p, -static_cast<int>(j))
                                 : p * (1.0 - step * 2.0 / static_cast<double>(k - 1));
    centres[2 * j + 1] = static_cast<float>(magnitude);
    centres[2 * j + 2] = static_cast<float>(-magnitude);
  }
  return centres;
}

std::size_t nearest_centre(std::span<const float> centres, float weight) noexcept {
  const auto w = static_cast<double>(weight);
  std::size_t best = 0;
  double least = std::fabs(w - static_cast<double>(centres[0]));
  for (std::size_t j = 1; j < centres.size(); ++j) {
    const double distance = std::fabs(w - static_cast<double>(centres[j]));
    if (distance < least) {
      least = distance;
      best = j;
    }
  }
  return best;
}

std::vector<std::uint8_t> assign_clusters(Backend& backend, std::span<const float> weights,
                                          std::span<const float> centres) {
  std::vector<std::uint8_t> cluster(weights.size());
  backend.threads().parallel_ranges(
      weights.size(), kSumBlock, [&](std::size_t begin, std::size_t end, std::size_t) {
        for (std::size_t i = begin; i < end; ++i)
          cluster[i] = static_cast<std::uint8_t>(nearest_centre(centres, weights[i]));
      });
  return cluster;
}

ClusterSums sum_clusters(Backend& backend, std::span<const float> weights, std::span<const float> centres) {
  const std::size_t k = centres.size();
  const std::vector<double> sums = blocked_sums(
      backend, weights.size(), 2 * k, [&](std::size_t begin, std::size_t end, std::span<double> block) {
        for (std::size_t i = begin; i < end; ++i) {
          const std::size_t j = nearest_centre(centres, weights[i]);
          block[j] += 1.0;
          block[k + j] += static_cast<double>(weights[i]);
        }
      });
  const auto half = sums.begin() + static_cast<std::ptrdiff_t>(k);
  return {.count = {sums.begin(), half}, .sum = {half, sums.end()}};
}

void lloyd(Backend& backend, std::span<const float> weights, std::span<const float> centres,
           const std::function<void(const ClusterSums& sums)>& update) {
  for (int step = 0; step < kLloydSteps; ++step) update(sum_clusters(backend, weights, centres));
}

void move_to_mean(const ClusterSums& sums, std::size_t cluster, std::span<const float> pinned,
                  std::span<float> centres) noexcept {
  if (pinned[cluster] == 0.0F && sums.count[cluster] > 0)
    centres[cluster] = static_cast<float>(sums.mean(cluster));
}

void k_means(Backend& backend, std::span<const float> weights, std::span<float> centres,
             std::span<const float> pinned) {
  lloyd(backend, weights, centres, [&](const ClusterSums& sums) {
    for (std::size_t j = 0; j < centres.size(); ++j) move_to_mean(sums, j, pinned, centres);
  });
}

double solve(const ProximalCentre& centre) noexcept {
  const double distance = centre.mean - centre.target;
  const double left = std::max(std::fabs(distance) - centre.beta / (2.0 * centre.share), 0.0);
  return centre.target + (distance < 0 ? -left : left);
}

double nearest_power_of_two(double c, int e_min, int e_max) noexcept {
  const double magnitude = std::fabs(c);
  if (!(magnitude > std::ldexp(1.0, e_min - 1))) return 0.0;
  int e = e_min;
  while (e < e_max && magnitude > std::ldexp(1.5, e)) ++e;
  return std::copysign(std::ldexp(1.0, e), c);
}

double two_digits(double c) noexcept {
  const double magnitude = std::fabs(c);
  if (magnitude == 0.0 || !std::isfinite(magnitude)) return c;
  // power = 10^digits with 10 <= magnitude / 10^digits < 100; 10^|digits| is exact up to 22.
  constexpr double kTen = 10.0;
  double power = 1.0;
  if (magnitude >= kTen) {
    while (magnitude / power >= kTen * kTen) power *= kTen;
    return std::copysign(std::floor(magnitude / power + 0.5) * power, c);
  }
  while (magnitude * power < kTen) power *= kTen;
  return std::copysign(std::floor(magnitude * power + 0.5) / power, c);
}

}  // namespace bitplane::train
