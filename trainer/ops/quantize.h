// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "trainer/autograd/variable.h"
#include "trainer/quantizers/quantizer.h"

namespace bitplane::train {

/// Levels of x. Training: the quantizer's state moves after the forward. The quantizer must outlive the
/// graph.
Variable quantize(const Context& ctx, const Variable& x, ActivationQuantizer& quantizer);

/// Weights -> their levels, by the quantizer's own forward and backward.
Variable quantize_weights(const Context& ctx, const Variable& weights, WeightQuantizer& quantizer);

/// Codes of x under a table: code_of_rank[#{l : x > thresholds[l]}].
[[nodiscard]] std::vector<std::uint8_t> quantize_codes(const Tensor& x, const ThresholdTable& table);

}  // namespace bitplane::train
