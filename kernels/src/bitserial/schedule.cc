// SPDX-License-Identifier: Apache-2.0
#include "bitserial/schedule.h"

#include <algorithm>
#include <bit>
#include <cassert>

namespace bitplane::kernels {
namespace {

/// A plane pair and its coefficient, +-2^exponent.
struct Pair {
  std::size_t i = 0, j = 0;
  int exponent = 0;
  bool negative = false;
};

Pair make_pair_of_planes(const Term& term, std::size_t i, std::size_t j) {
  const std::int64_t product = std::int64_t{term.a[i]} * term.b[j];
  const auto magnitude = static_cast<std::uint64_t>(product < 0 ? -product : product);
  assert(std::has_single_bit(magnitude) && "multiples are powers of two");
  return {.i = i, .j = j, .exponent = std::countr_zero(magnitude), .negative = product < 0};
}

/// The factor of the counts in D: 1, 2 or -2; the -1 of the minuends' way is theirs.
Pair alpha(const BitConvSpec& spec, PairOp op) {
  const bool bipolar_weights = spec.weight_encoding == Encoding::Bipolar;
  const bool bipolar_activations = spec.activation_encoding == Encoding::Bipolar;
  if (op == PairOp::Xor && !bipolar_activations) return {};
  return {.exponent = bipolar_weights || bipolar_activations ? 1 : 0,
          .negative = bipolar_weights && bipolar_activations};
}

}  // namespace

std::vector<Term> make_terms(const BitConvSpec& spec) {
  const bool uniform_weights = weights_are_uniform(spec.combination);
  const bool uniform_activations = activations_are_uniform(spec.combination);
  const std::size_t weight_terms = uniform_weights ? 1 : spec.weights.planes;
  const std::size_t activation_terms = uniform_activations ? 1 : spec.activation_planes;
  std::vector<Term> terms;
  for (std::size_t j = 0; j < activation_terms; ++j) {
    for (std::size_t i = 0; i < weight_terms; ++i) {
      Term& term = terms.emplace_back();
      for (std::size_t plane = 0; plane < spec.weights.planes; ++plane) {
        term.a[plane] = uniform_weights ? spec.weight_multiples[plane] : (plane == i ? 1 : 0);
        term.sum_a += term.a[plane];
      }
      for (std::size_t plane = 0; plane < spec.activation_planes; ++plane) {
        term.b[plane] = uniform_activations ? spec.activation_multiples[plane] : (plane == j ? 1 : 0);
        term.sum_b += term.b[plane];
      }
    }
  }
  return terms;
}

PairOp pair_operation(const BitConvSpec& spec, PairOp bipolar_by_unsigned) noexcept {
  if (spec.weight_encoding != Encoding::Bipolar) return PairOp::And;
  return spec.activation_encoding == Encoding::Bipolar ? PairOp::Xor : bipolar_by_unsigned;
}

Schedule make_schedule(std::span<const Term> terms, const BitConvSpec& spec, PairOp op) {
  Schedule schedule;
  for (const Term& term : terms) {
    std::vector<Pair> pairs;
    for (std::size_t i = 0; i < spec.weights.planes; ++i) {
      for (std::size_t j = 0; j < spec.activation_planes; ++j) {
        if (term.a[i] != 0 && term.b[j] != 0) pairs.push_back(make_pair_of_planes(term, i, j));
      }
    }
    std::stable_sort(pairs.begin(), pairs.end(), [](const Pair& x, const Pair& y) {
      return x.exponent != y.exponent ? x.exponent > y.exponent : x.negative && !y.negative;
    });
    TermSteps steps{.first = static_cast<std::uint32_t>(schedule.steps.size()),
                    .count = static_cast<std::uint32_t>(pairs.size())};
    Pair held = pairs.empty() ? Pair{} : pairs.front();  // the sum so far is (+-2^exponent of `held`) * total
    for (const Pair& pair : pairs) {
      schedule.steps.push_back({.weight_plane = static_cast<std::uint16_t>(pair.i),
                                .activation_plane = static_cast<std::uint16_t>(pair.j),
                                .shift = static_cast<std::uint8_t>(held.exponent - pair.exponent),
                                .negate = held.negative != pair.negative});
      held = pair;
    }
    steps.shift = static_cast<std::uint8_t>(held.exponent + alpha(spec, op).exponent);
    steps.negate = held.negative != alpha(spec, op).negative;
    schedule.terms.push_back(steps);
  }
  return schedule;
}

std::vector<float> term_coefficients(const BitConvSpec& spec, std::size_t channel) {
  const auto v = [&](std::size_t i) { return spec.weight_basis[i * spec.weights.rows + channel]; };
  std::vector<float> coefficients;
  switch (spec.combination) {
    case Combination::UniformBoth:
      break;
    case Combination::LearnedWeights:
      for (std::size_t i = 0; i < spec.weights.planes; ++i) coefficients.push_back(v(i));
      break;
    case Combination::LearnedActivations:
      coefficients.assign(spec.activation_basis, spec.activation_basis + spec.activation_planes);
      break;
    case Combination::LearnedBoth:
      for (std::size_t j = 0; j < spec.activation_planes; ++j) {
        for (std::size_t i = 0; i < spec.weights.planes; ++i)
          coefficients.push_back(v(i) * spec.activation_basis[j]);
      }
      break;
  }
  return coefficients;
}

}  // namespace bitplane::kernels
