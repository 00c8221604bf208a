// SPDX-License-Identifier: Apache-2.0
//
// The exp and log of docs/BITPLANES.md, made of fma and the basic operations: libm's differ from machine to
// machine.
#pragma once

namespace bitplane::kernels {

/// 0 below -745.2, infinity above 709.8; NaN stays.
[[nodiscard]] double exact_exp(double x) noexcept;
/// x is positive and normal, infinite or NaN.
[[nodiscard]] double exact_log(double x) noexcept;

}  // namespace bitplane::kernels
