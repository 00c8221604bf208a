// SPDX-License-Identifier: Apache-2.0
//
// TSQ (Wang, Hu, Zhang, Zhang, Liu, Cheng, "Two-step quantization for low-bit neural networks", CVPR 2018).
//
//   activations  SQ(n, theta): tau_1 = epsilon = Phi^-1(theta), tau_k = max(epsilon, (k - 1/2) Delta), k =
//                #{j : x > tau_j}, value k Delta, k = 0..L, L = 2^n - 1; Delta is best for the part of a
//                standard normal distribution above epsilon. Slope 1 on (epsilon, L Delta].
//   weights      OTWA, per output channel: the alpha >= 0 and ternary t with the least |w - alpha t|^2;
//                straight through.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "trainer/tensor/threshold_table.h"

namespace bitplane::train {

struct SparseLevels {
  double epsilon = 0, delta = 0;
};

/// Phi and its inverse (0 < p < 1), from fma and our own exp: the same bits on every machine.
[[nodiscard]] double normal_cdf(double x) noexcept;
[[nodiscard]] double normal_quantile(double p) noexcept;

/// The integral of (Q(x) - x)^2 phi(x) over x > epsilon.
[[nodiscard]] double sparse_error(const SparseLevels& levels, std::size_t bits) noexcept;
/// The delta with the least error: the best of a grid, and a golden section around it (there are several
/// local minima where epsilon > 1.5 delta).
[[nodiscard]] double best_sparse_delta(double epsilon, std::size_t bits) noexcept;
/// Of a share theta of zeros: the paper's literals for 2 bits and its five theta, else computed.
[[nodiscard]] SparseLevels sparse_levels(std::size_t bits, double theta) noexcept;
/// Whether units below epsilon learn: the slope is 1 from 0 on.
enum class BelowEpsilon : std::uint8_t { Stuck, Learns };
[[nodiscard]] ThresholdTable sparse_table(const SparseLevels& levels, std::size_t bits, BelowEpsilon below);

/// alpha t ~ w, the global optimum: the r largest magnitudes are kept, r = the smallest argmax of (sum of
/// them)^2 / r.
struct TernaryFilter {
  double alpha = 0;
  std::vector<std::int8_t> t;
};
[[nodiscard]] TernaryFilter best_ternary(std::span<const double> w);
[[nodiscard]] TernaryFilter best_ternary(std::span<const float> w);

}  // namespace bitplane::train
