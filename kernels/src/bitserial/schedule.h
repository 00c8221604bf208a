// SPDX-License-Identifier: Apache-2.0
//
// From a combination to the terms and steps that a micro-kernel runs (tile.h says what they mean).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "bitplane/kernels/bitserial.h"
#include "bitserial/tile.h"

namespace bitplane::kernels {

[[nodiscard]] constexpr bool weights_are_uniform(Combination combination) noexcept {
  return combination == Combination::UniformBoth || combination == Combination::LearnedActivations;
}
[[nodiscard]] constexpr bool activations_are_uniform(Combination combination) noexcept {
  return combination == Combination::UniformBoth || combination == Combination::LearnedWeights;
}

/// I = sum_ij a_i b_j D_ij: the multiples of a uniform side, one 1 on a learned side.
struct Term {
  std::array<std::int32_t, kMaxPlanes> a{};
  std::array<std::int32_t, kMaxActivationPlanes> b{};
  std::int64_t sum_a = 0, sum_b = 0;
};

/// The terms in the order of the normative chain: weight planes, activation planes, or activation planes and
/// within them weight planes.
[[nodiscard]] std::vector<Term> make_terms(const BitConvSpec& spec);

struct Schedule {
  std::vector<PlaneStep> steps;
  std::vector<TermSteps> terms;
};
/// How the planes of a pair are compared.
[[nodiscard]] PairOp pair_operation(const BitConvSpec& spec, PairOp bipolar_by_unsigned) noexcept;
[[nodiscard]] Schedule make_schedule(std::span<const Term> terms, const BitConvSpec& spec, PairOp op);

/// float coefficients [term][channel] of the output channel `channel`; none for UniformBoth.
[[nodiscard]] std::vector<float> term_coefficients(const BitConvSpec& spec, std::size_t channel);

}  // namespace bitplane::kernels
