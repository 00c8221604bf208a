// SPDX-License-Identifier: Apache-2.0
//
// What a supported convolution costs each role of the family: nanoseconds of one thread for the whole batch.
#pragma once

#include "bitplane/kernels/lowbit_conv.h"
#include "lut/lut_tile.h"

namespace bitplane::kernels {

[[nodiscard]] double activation_tables_cost(const LutLayout& lut, const BitConvSpec& spec) noexcept;
[[nodiscard]] double weight_tables_cost(const LutLayout& lut, const BitConvSpec& spec) noexcept;

}  // namespace bitplane::kernels
