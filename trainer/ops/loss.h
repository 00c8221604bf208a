// SPDX-License-Identifier: Apache-2.0
//
// Losses on logits [n][classes], computed in double with our own exp and log, rows in order.
#pragma once

#include <cstdint>
#include <span>

#include "trainer/autograd/variable.h"

namespace bitplane::train {

struct CrossEntropyOptions {
  /// Share of the target that all classes get alike (Szegedy et al. 2016): target = (1 - s) [label] + s /
  /// classes, 0 <= s < 1.
  double label_smoothing = 0.0;
};

/// Mean over the rows of -sum over k of target_k * log softmax(logits)_k. Throws std::invalid_argument when a
/// label is out of range or the counts differ.
Variable softmax_cross_entropy(const Context& ctx, const Variable& logits,
                               std::span<const std::uint16_t> labels,
                               const CrossEntropyOptions& options = {});

/// Mean over rows and classes of (logits - targets)^2; no gradient flows into the targets. Throws
/// std::invalid_argument with both shapes when they differ.
Variable mean_squared_error(const Context& ctx, const Variable& logits, const Tensor& targets);

struct DistillationOptions {
  const Tensor& teacher;  ///< its logits, [n][classes]
  double lambda = 0.5;    ///< 0: labels alone; 1: teacher alone
  double label_smoothing = 0.0;
};

/// (1 - lambda) * cross entropy with the labels + lambda * mean squared error with a teacher's logits (QIL).
Variable distillation_loss(const Context& ctx, const Variable& logits, std::span<const std::uint16_t> labels,
                           const DistillationOptions& options);

/// Rows whose largest logit (the first one at a tie) is at the label.
[[nodiscard]] std::size_t count_correct(const Tensor& logits, std::span<const std::uint16_t> labels);

}  // namespace bitplane::train
