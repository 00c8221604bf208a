// SPDX-License-Identifier: Apache-2.0
//
// What is done to all gradients of a net between the backward pass and the optimizer's step.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "trainer/nn/module.h"

namespace bitplane::train {

struct GradientSummary {
  double norm = 0.0;  ///< Euclidean, over all parameters that have a gradient
  /// The parameter whose gradient is not finite; the one nearest to the loss, since a bad number spreads from
  /// there to every layer in front of it.
  std::optional<std::string> not_finite;
};

/// Squares are summed in double: 8 interleaved chains over blocks of fixed size, then chains and blocks in
/// order; the same bits for any number of threads and on every instruction set.
[[nodiscard]] GradientSummary summarize_gradients(Backend& backend,
                                                  std::span<const NamedParameter> parameters);

/// Multiplies every gradient by limit / norm where norm is above limit (Pascanu et al. 2013).
void clip_gradients(Backend& backend, std::span<const NamedParameter> parameters,
                    const GradientSummary& summary, double limit);

}  // namespace bitplane::train
