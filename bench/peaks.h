// SPDX-License-Identifier: Apache-2.0
//
// What one core of this machine can do at most, measured in the run that reports shares of it.
#pragma once

#include <cstddef>

#include "bitplane/kernels/isa.h"

namespace bitplane::bench {

/// Operations per second of one core on registers alone. 0: there is no such loop for the instruction set
/// (scalar has neither a fused multiply-add nor a popcount instruction to rely on).
struct Peaks {
  double fma = 0;       ///< float32 fused multiply-adds
  double bit_macs = 0;  ///< AND, population count and addition of one bit pair
};

/// Measured once, a few milliseconds per instruction set. `isa` must be able to run here.
[[nodiscard]] const Peaks& peaks(kernels::Isa isa);

}  // namespace bitplane::bench
