// SPDX-License-Identifier: Apache-2.0
//
// GDRQ (Yu, Wen, Cheng, Sun, Han, Shi, "GDRQ: group-based distribution reshaping for quantization", 2019):
// uniform levels up to a clip point alpha per group of consecutive filters, with weights that are kept inside
// a multiple of their mean magnitude.
//
//   weights      k = sgn(w) floor(min(|w|, alpha) / s + 1/2), s = alpha / (2^(n-1) - 1), straight through;
//                1 bit: sgn(w) mean|G|, sgn(0) = +1
//   alpha        clip: k_w mean|G|, in each forward; search: the least sum|w - Q(w)|, anew in each epoch
//                or every search_every steps
//   activations  T moves towards k_a mean(A) by eta, then clips and quantizes the same batch: s = T / (2^n -
//                1); slope 1 on (0, T). (The paper prints the sign of that update wrongly.)
//   reshaping    after each step W is clipped to k_w mean|G| (reshape = project)
#pragma once

#include <cstddef>
#include <span>

#include "trainer/quantizers/uniform.h"

namespace bitplane::train {

/// sum|w - Q(w)| / sum|w| with q levels above 0 up to alpha; 0 of nothing but zeros.
[[nodiscard]] double gdrq_loss(std::span<const float> w, double alpha, double q);
/// alpha with the least loss: the best of a grid of 200 points on (0, max|w|] and of a golden section around
/// it. 0 where all weights are 0.
[[nodiscard]] double gdrq_search(std::span<const float> w, double q);
/// Code of one weight.
[[nodiscard]] std::int16_t gdrq_code(double w, double alpha, double q) noexcept;
/// Clips to k_w times the mean magnitude; returns that bound.
double gdrq_reshape(std::span<float> group, double k_w) noexcept;

}  // namespace bitplane::train
