// SPDX-License-Identifier: Apache-2.0
#include "trainer/math/transcendental.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace bitplane::train::math {
namespace {

/// c[0] + x c[1] + x^2 c[2] + ..., Horner with fma.
template <std::size_t N>
double polynomial(const std::array<double, N>& c, double x) {
  double y = c[N - 1];
  for (std::size_t i = N - 1; i-- > 0;) y = std::fma(y, x, c[i]);
  return y;
}

/// Nearest integer (ties to even) of |x| < 2^51.
double round_to_integer(double x) {
  constexpr double kShift = 0x1.8p52;
  return (x + kShift) - kShift;
}

/// 2^n for a normal result, -1022 <= n <= 1023.
double power_of_two(std::int64_t n) {
  return std::bit_cast<double>(static_cast<std::uint64_t>(n + 1023) << 52);
}

// ln 2 in two parts: the first has 32 trailing zeros, so that n * kLn2High is exact for |n| <= 2^11.
constexpr double kLn2High = 0x1.62e42feep-1;
constexpr double kLn2Low = 0x1.a39ef35793c76p-33;

// Terms of the Taylor series; the first omitted term is below 2^-56 of the sum on the reduced range.
constexpr std::array<double, 12> kExpTail{// 1/2! ... 1/13!
                                          1.0 / 2,       1.0 / 6,        1.0 / 24,        1.0 / 120,
                                          1.0 / 720,     1.0 / 5040,     1.0 / 40320,     1.0 / 362880,
                                          1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800.0};
constexpr std::array<double, 11> kLogTail{
    // 2/3, 2/5, ...
    2.0 / 3, 2.0 / 5, 2.0 / 7, 2.0 / 9, 2.0 / 11, 2.0 / 13, 2.0 / 15, 2.0 / 17, 2.0 / 19, 2.0 / 21, 2.0 / 23};
constexpr std::array<double, 8> kSinTail{// -1/3!, 1/5!, ...
                                         -1.0 / 6,
                                         1.0 / 120,
                                         -1.0 / 5040,
                                         1.0 / 362880,
                                         -1.0 / 39916800.0,
                                         1.0 / 6227020800.0,
                                         -1.0 / 1307674368000.0,
                                         1.0 / 355687428096000.0};
constexpr std::array<double, 7> kCosTail{
    // 1/4!, -1/6!, ...
    1.0 / 24,          -1.0 / 720,           1.0 / 40320,           -1.0 / 3628800,
    1.0 / 479001600.0, -1.0 / 87178291200.0, 1.0 / 20922789888000.0};
constexpr double kTwoPiHigh = 0x1.921fb54442d18p+2;
constexpr double kTwoPiLow = 0x1.1a62633145c07p-52;

struct Angle {
  double high, low;  ///< in radians, |high| <= pi / 4
  std::int64_t quadrant;
};

Angle reduce_turns(double t) {
  const double quarter = round_to_integer(4.0 * t);
  const double r = std::fma(quarter, -0.25, t);  // exact
  const double high = r * kTwoPiHigh;
  return {high, std::fma(r, kTwoPiHigh, -high) + r * kTwoPiLow, static_cast<std::int64_t>(quarter) & 3};
}

double sin_reduced(const Angle& a) {
  const double z = a.high * a.high;
  const double tail = a.high * z * polynomial(kSinTail, z);
  return a.high + std::fma(a.low, 1.0 - 0.5 * z, tail);
}

double cos_reduced(const Angle& a) {
  const double z = a.high * a.high;
  const double half = 0.5 * z;
  const double w = 1.0 - half;
  const double lost = (1.0 - w) - half;
  return w + (lost + std::fma(z * z, polynomial(kCosTail, z), -a.high * a.low));
}

}  // namespace

double exp(double x) noexcept {
  if (std::isnan(x)) return x;
  if (x > 709.8) return std::numeric_limits<double>::infinity();
  if (x < -745.2) return 0.0;
  constexpr double kLog2E = 0x1.71547652b82fep+0;
  const double n = round_to_integer(x * kLog2E);
  const double r_high = std::fma(-n, kLn2High, x);
  const double r_low = n * kLn2Low;
  const double r = r_high - r_low;
  const double r_lost = (r_high - r) - r_low;
  const double tail = std::fma(r * r, polynomial(kExpTail, r), r_lost);
  const double y = 1.0 + (r + tail);
  // In two steps: 2^n itself may overflow or be subnormal where the result is not.
  const auto whole = static_cast<std::int64_t>(n);
  const std::int64_t half = whole / 2;
  return y * power_of_two(half) * power_of_two(whole - half);
}

double log(double x) noexcept {
  if (std::isnan(x) || x < 0.0) return std::numeric_limits<double>::quiet_NaN();
  if (x == 0.0) return -std::numeric_limits<double>::infinity();
  if (std::isinf(x)) return x;
  std::int64_t exponent = 0;
  if (x < std::numeric_limits<double>::min()) {
    x *= 0x1p54;
    exponent = -54;
  }
  // x = 2^exponent * m with m in [sqrt(1/2), sqrt(2))
  constexpr std::uint64_t kSqrtHalf = 0x3fe6a09e667f3bcdULL;
  const std::uint64_t shifted = std::bit_cast<std::uint64_t>(x) - kSqrtHalf;
  exponent += static_cast<std::int64_t>(shifted) >> 52;
  const double m = std::bit_cast<double>((shifted & 0x000fffffffffffffULL) + kSqrtHalf);
  // log(1 + f) = 2 atanh(s) = f - f^2/2 + s (f^2/2 + R(s^2)),  s = f / (2 + f)
  const double f = m - 1.0;
  const double s = f / (2.0 + f);
  const double z = s * s;
  const double half_square = 0.5 * f * f;
  const double rest = s * std::fma(z, polynomial(kLogTail, z), half_square);
  const auto k = static_cast<double>(exponent);
  return std::fma(k, kLn2High, f - (half_square - (rest + k * kLn2Low)));
}

double power(double x, double y) noexcept {
  return exp(y * log(x));
}

double sin_turns(double t) noexcept {
  const Angle a = reduce_turns(t);
  const double y = (a.quadrant & 1) != 0 ? cos_reduced(a) : sin_reduced(a);
  return (a.quadrant & 2) != 0 ? -y : y;
}

double cos_turns(double t) noexcept {
  const Angle a = reduce_turns(t);
  const double y = (a.quadrant & 1) != 0 ? sin_reduced(a) : cos_reduced(a);
  return (a.quadrant == 1 || a.quadrant == 2) ? -y : y;
}

}  // namespace bitplane::train::math
