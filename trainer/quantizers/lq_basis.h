// SPDX-License-Identifier: Apache-2.0
//
// The algebra of LQ-Nets (Zhang, Yang, Ye, Hua, "LQ-Nets: learned quantization for highly accurate and
// compact deep neural networks", ECCV 2018), shared by its two quantizers.
//
// A code c of K bits stands for the level q(c) = sum_j v_j e_j(c), e_j = bit j of c (activations) or 2 bit -
// 1 (weights). Levels are computed in float32 as a chain of additions from +0 in the order of j, so the
// forward pass, the export and the evaluation get the same floats.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "bitplane/kernels/planes.h"
#include "trainer/autograd/parameter.h"
#include "trainer/quantizers/options.h"
#include "trainer/tensor/threshold_table.h"

namespace bitplane::train {

/// Weight of the pull towards the old basis in the least-squares step.
inline constexpr double kLqDelta = 1e-4;
/// Share of the old basis in the moving average.
inline constexpr double kLqMomentum = 0.9;

/// Options of both quantizers.
[[nodiscard]] std::span<const OptionInfo> lq_options() noexcept;
/// A basis: what a gradient moves with `optimize` = bp.
[[nodiscard]] Parameter lq_parameter(const Shape& shape);

/// Levels sorted by (level, code), thresholds float(q_l + q_{l+1}) * 0.5f, codes by rank. No pass interval.
[[nodiscard]] ThresholdTable lq_table(kernels::Encoding encoding, std::span<const float> basis);

/// Number of thresholds below x, i.e. passed by it.
[[nodiscard]] std::size_t rank_of(std::span<const float> thresholds, float x) noexcept;

/// One QEM step: argmin over u of |B'u - x|^2 + delta |u - old|^2, from the counts and sums of x by rank.
/// Double, LDLT. Keeps `old` where a pivot is below 1e-15 of the trace or the result is not finite.
[[nodiscard]] std::vector<double> lq_solve(kernels::Encoding encoding, const ThresholdTable& table,
                                           const RankStatistics& statistics, std::span<const double> old);

/// v <- 0.9 v + 0.1 found. With `step` > 0 (counted from 1) as TensorFlow's zero-debiased average does it:
/// the starting value has no weight.
void lq_average(std::span<float> v, std::span<const double> found, std::size_t debiased_step) noexcept;

}  // namespace bitplane::train
