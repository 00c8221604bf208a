// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "trainer/autograd/variable.h"

namespace bitplane::train {

struct DropoutOptions {
  double rate = 0.5;         ///< share of elements that become 0; 0 <= rate < 1
  std::uint64_t stream = 0;  ///< stream_of() the layer's name, so that no two layers drop alike
};

/// Training: element i becomes 0 or x / (1 - rate). Its random number is number step * 2^34 + i of the stream
/// (context's seed, options' stream): a function of these alone, drawn again in the backward pass instead of
/// being kept. Evaluation: x itself. Throws std::invalid_argument for a rate out of range and tensors of more
/// than 2^34 elements.
Variable dropout(const Context& ctx, const Variable& x, const DropoutOptions& options);

}  // namespace bitplane::train
