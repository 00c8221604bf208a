// SPDX-License-Identifier: Apache-2.0
//
// In which precision a run computes its large products: of its steps, its teacher, the test accuracy after
// each epoch, and what stages of a procedure find out before they train. Weights, gradients, sums and all
// else are float32 in any case, and so is all of `trainer eval`, of a finished run's result and of its model.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace bitplane::train {

enum class Precision : std::uint8_t { Float32, Bf16 };

struct PrecisionInfo {
  Precision precision;
  std::string_view name, description;
};
inline constexpr std::array<PrecisionInfo, 2> kPrecisions{{
    {Precision::Float32, "float32", "the same bits on every CPU"},
    {Precision::Bf16, "bf16",
     "inner layers multiply operands of 8 significant bits (AVX-512 BF16, AMX-bf16)"},
}};

/// May operands of a product be rounded where the run's precision says so? Those of first and last layers may
/// not.
enum class Rounding : std::uint8_t { Allowed, Never };

}  // namespace bitplane::train
