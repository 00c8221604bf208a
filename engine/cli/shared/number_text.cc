// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/shared/number_text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <string_view>

namespace bitplane::cli {
namespace {

std::string with_prefix(double value, double step, const std::array<std::string_view, 5>& units, int digits) {
  std::size_t unit = 0;
  while (unit + 1 < units.size() && value >= step) {
    value /= step;
    ++unit;
  }
  const std::string number = fixed(value, unit == 0 ? 0 : digits);
  return units[unit].empty() ? number : number + " " + std::string(units[unit]);
}

}  // namespace

std::string shortest(double value) {
  constexpr double kLargestWhole = 1e15;
  if (value == std::floor(value) && std::fabs(value) < kLargestWhole) return fixed(value, 0);
  std::array<char, 32> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

std::string fixed(double value, int digits) {
  std::array<char, 64> text{};
  const int length = std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  if (length >= 0 && static_cast<std::size_t>(length) < text.size()) return text.data();
  std::snprintf(text.data(), text.size(), "%g", value);
  return text.data();
}

std::string short_count(double value) {
  return with_prefix(value, 1000.0, {"", "k", "M", "G", "T"}, 2);
}

std::string short_bytes(std::size_t bytes) {
  return with_prefix(static_cast<double>(bytes), 1024.0, {"B", "KiB", "MiB", "GiB", "TiB"}, 1);
}

std::string percent(double fraction, int digits) {
  return fixed(fraction * 100.0, digits) + " %";
}

}  // namespace bitplane::cli
