// SPDX-License-Identifier: Apache-2.0
//
// Clusters of one layer's weights (Xu, Wang, Zhou, Lin, Xiong, "Deep neural network compression with single
// and multiple level quantization", AAAI 2018): k-means whose clusters keep their index, some of them pinned,
// and centres of prescribed types. Sums are blocked: the same bits for any number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "trainer/tensor/backend.h"

namespace bitplane::train {

/// Rounds of (assign all, update all).
inline constexpr int kLloydSteps = 10;

enum class ClusterStart : std::uint8_t {
  NonLinear,  ///< 0, +p, -p, +p/2, -p/2, ...
  Linear,     ///< 0, +p, -p, then p less 2/(k-1) of p, ...
};

/// floor(log2(x)), exactly; x > 0.
[[nodiscard]] int floor_log2(double x) noexcept;
/// max |w|; 0 of nothing.
[[nodiscard]] float largest_magnitude(std::span<const float> weights) noexcept;

/// k centres (odd), the first one 0; p is the largest power of two up to `largest`. All 0 where `largest` is.
[[nodiscard]] std::vector<float> start_centres(ClusterStart start, std::size_t k, float largest);

/// Of the nearest centre; a tie goes to the lower index.
[[nodiscard]] std::size_t nearest_centre(std::span<const float> centres, float weight) noexcept;
/// The same for each weight.
[[nodiscard]] std::vector<std::uint8_t> assign_clusters(Backend& backend, std::span<const float> weights,
                                                        std::span<const float> centres);

/// Members of a cluster: how many, and their sum.
struct ClusterSums {
  std::vector<double> count, sum;  ///< [k]
  [[nodiscard]] double mean(std::size_t j) const noexcept { return sum[j] / count[j]; }
};
[[nodiscard]] ClusterSums sum_clusters(Backend& backend, std::span<const float> weights,
                                       std::span<const float> centres);

/// kLloydSteps times: assign, then update(sums) moves the centres as the method wants.
void lloyd(Backend& backend, std::span<const float> weights, std::span<const float> centres,
           const std::function<void(const ClusterSums& sums)>& update);
/// The mean of the members where there are any and `pinned` ([k]) is 0.
void move_to_mean(const ClusterSums& sums, std::size_t cluster, std::span<const float> pinned,
                  std::span<float> centres) noexcept;
/// lloyd() with means.
void k_means(Backend& backend, std::span<const float> weights, std::span<float> centres,
             std::span<const float> pinned);

/// argmin over c of n_j / n (mean - c)^2 + beta |c - target|.
struct ProximalCentre {
  double mean, target, beta;
  double share;  ///< n_j / n
};
[[nodiscard]] double solve(const ProximalCentre& centre) noexcept;

/// The nearest of 0 and +-2^e, e_min <= e <= e_max; a tie goes to the smaller magnitude.
[[nodiscard]] double nearest_power_of_two(double c, int e_min, int e_max) noexcept;
/// Rounded to two significant decimal digits, half away from zero.
[[nodiscard]] double two_digits(double c) noexcept;

}  // namespace bitplane::train
