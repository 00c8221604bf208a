// SPDX-License-Identifier: Apache-2.0
//
// exp, log, sin and cos in double, made of fma and the four basic operations only: the same bits on every
// machine, which libm does not promise. Errors stay below 1.5 ulp (tests compare with libm on dense and
// special points).
#pragma once

namespace bitplane::train::math {

[[nodiscard]] double exp(double x) noexcept;
/// NaN for x < 0, -inf for 0.
[[nodiscard]] double log(double x) noexcept;
/// x^y = exp(y log x) for x > 0. The relative error grows with |y log x| (about 1e-16 times that), so that a
/// result rounded to float is right but for rare ties.
[[nodiscard]] double power(double x, double y) noexcept;
/// sin and cos of 2 pi t (a turn is 1), |t| <= 2^20: the argument reduction is exact.
[[nodiscard]] double sin_turns(double t) noexcept;
[[nodiscard]] double cos_turns(double t) noexcept;

}  // namespace bitplane::train::math
