// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "trainer/autograd/variable.h"

namespace bitplane::train {

struct CrossEntropyOptions {
  /// Share of the target that all classes get alike (Szegedy et al. 2016): target = (1 - s) [label] + s /
  /// classes.
  double label_smoothing = 0.0;
};

/// Mean over the rows of -sum target * log softmax(logits); logits [n][classes]. Computed in double with our
/// own exp and log. Throws std::invalid_argument when a label is out of range or the counts differ.
Variable softmax_cross_entropy(const Context& ctx, const Variable& logits,
                               std::span<const std::uint16_t> labels,
                               const CrossEntropyOptions& options = {});

/// Rows whose largest logit (the first one at a tie) is at the label.
[[nodiscard]] std::size_t count_correct(const Tensor& logits, std::span<const std::uint16_t> labels);

}  // namespace bitplane::train
