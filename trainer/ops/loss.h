// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "trainer/autograd/variable.h"

namespace bitplane::train {

/// Mean over the rows of -log softmax(logits)[label]; logits [n][classes]. Computed in double with our own
/// exp and log. Throws std::invalid_argument when a label is out of range or the counts differ.
Variable softmax_cross_entropy(const Context& ctx, const Variable& logits,
                               std::span<const std::uint16_t> labels);

/// Rows whose largest logit (the first one at a tie) is at the label.
[[nodiscard]] std::size_t count_correct(const Tensor& logits, std::span<const std::uint16_t> labels);

}  // namespace bitplane::train
