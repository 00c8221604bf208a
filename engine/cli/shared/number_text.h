// SPDX-License-Identifier: Apache-2.0
//
// Numbers for people.
#pragma once

#include <cstddef>
#include <string>

namespace bitplane::cli {

/// The shortest text that reads back the same, whole numbers below 10^15 without an exponent: "0.1",
/// "1000000".
[[nodiscard]] std::string shortest(double value);
/// 3.14159, 2 -> "3.14"
[[nodiscard]] std::string fixed(double value, int digits);
/// 1234567 -> "1.23 M"; below 1000 exact.
[[nodiscard]] std::string short_count(double value);
/// 18874 -> "18.4 KiB"; below 1024 exact.
[[nodiscard]] std::string short_bytes(std::size_t bytes);
/// 0.1234 -> "12.34 %"
[[nodiscard]] std::string percent(double fraction, int digits = 2);

}  // namespace bitplane::cli
