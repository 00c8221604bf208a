// SPDX-License-Identifier: Apache-2.0
//
// What codes mean, as float32 numbers: planes, bases and offsets multiplied out.
#pragma once

#include <cstddef>
#include <vector>

#include "bitplane/model_spec.h"

namespace bitplane::onnx {

/// [rows][k] of the model file's order. Computed in double, rounded once.
[[nodiscard]] std::vector<float> dequantize(const engine::Weights& weights);

/// [2^bits], by rank: the value of an input that exceeds that many thresholds.
[[nodiscard]] std::vector<float> levels_by_rank(const engine::Quantize& quantize);
/// [2^bits], by code.
[[nodiscard]] std::vector<float> levels_by_code(const engine::Quantize& quantize);

}  // namespace bitplane::onnx
