// SPDX-License-Identifier: Apache-2.0
#include "float_steps/exp_log.h"

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace bitplane::kernels {
namespace {

constexpr double kLn2High = 0x1.62e42feep-1, kLn2Low = 0x1.a39ef35793c76p-33;

// 1/2!, 1/3!, ... 1/13!
constexpr double kExp[] = {1.0 / 2,       1.0 / 6,        1.0 / 24,        1.0 / 120,
                           1.0 / 720,     1.0 / 5040,     1.0 / 40320,     1.0 / 362880,
                           1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800.0};
// 2/3, 2/5, ... 2/23
constexpr double kLog[] = {2.0 / 3,  2.0 / 5,  2.0 / 7,  2.0 / 9,  2.0 / 11, 2.0 / 13,
                           2.0 / 15, 2.0 / 17, 2.0 / 19, 2.0 / 21, 2.0 / 23};

template <std::size_t N>
double horner(const double (&c)[N], double x) noexcept {
  double y = c[N - 1];
  for (std::size_t i = N - 1; i > 0; --i) y = std::fma(y, x, c[i - 1]);
  return y;
}

double two_to_the(std::int64_t n) noexcept {
  return std::bit_cast<double>(static_cast<std::uint64_t>(n + 1023) << 52);
}

}  // namespace

double exact_exp(double x) noexcept {
  if (std::isnan(x)) return x;
  if (x > 709.8) return std::numeric_limits<double>::infinity();
  if (x < -745.2) return 0.0;
  constexpr double kLog2OfE = 0x1.71547652b82fep+0, kShift = 0x1.8p52;
  const double n = (x * kLog2OfE + kShift) - kShift;
  const double high = std::fma(-n, kLn2High, x), low = n * kLn2Low;
  const double r = high - low, lost = (high - r) - low;
  const double y = 1.0 + (r + std::fma(r * r, horner(kExp, r), lost));
  const auto whole = static_cast<std::int64_t>(n);
  return y * two_to_the(whole / 2) * two_to_the(whole - whole / 2);
}

double exact_log(double x) noexcept {
  if (!std::isfinite(x)) return x;
  // x = 2^e * m, sqrt(1/2) <= m < sqrt(2)
  constexpr std::uint64_t kSqrtHalf = 0x3fe6a09e667f3bcdULL;
  const std::uint64_t shifted = std::bit_cast<std::uint64_t>(x) - kSqrtHalf;
  const auto e = static_cast<double>(static_cast<std::int64_t>(shifted) >> 52);
  const double m = std::bit_cast<double>((shifted & 0x000fffffffffffffULL) + kSqrtHalf);
  const double f = m - 1.0;
  const double s = f / (2.0 + f), z = s * s, half_square = 0.5 * f * f;
  const double rest = s * std::fma(z, horner(kLog, z), half_square);
  return std::fma(e, kLn2High, f - (half_square - (rest + e * kLn2Low)));
}

}  // namespace bitplane::kernels
