// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/shared/numbers.h"

#include <charconv>
#include <cmath>
#include <string_view>
#include <system_error>

#include "engine/cli/shared/number_text.h"

namespace bitplane::cli {
namespace {

constexpr std::uint64_t kLargest = std::numeric_limits<std::uint64_t>::max();

/// The number that the whole text is, if any.
template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

WholeRange whole_numbers_of(const RealRange& range) noexcept {
  const auto whole = [](double end) {
    return end >= static_cast<double>(kLargest) ? kLargest : static_cast<std::uint64_t>(end);
  };
  return {.least = whole(std::ceil(range.least)), .most = whole(range.most)};
}

std::optional<std::uint64_t> parse_number(const std::string& text, const WholeRange& range) {
  const auto value = number_of<std::uint64_t>(text);
  return value && *value >= range.least && *value <= range.most ? value : std::nullopt;
}

std::optional<double> parse_number(const std::string& text, const RealRange& range) {
  const bool plus = text.starts_with('+') && !text.starts_with("+-");  // from_chars() knows no '+'
  const auto value = number_of<double>(std::string_view(text).substr(plus ? 1 : 0));
  const bool inside = value && std::isfinite(*value) && *value >= range.least && *value <= range.most;
  return inside ? value : std::nullopt;
}

std::string range_text(const WholeRange& range) {
  if (range.most == kLargest) return "";
  return std::to_string(range.least) + " to " + std::to_string(range.most);
}

std::string range_text(const RealRange& range) {
  return std::isinf(range.most) ? "" : shortest(range.least) + " to " + shortest(range.most);
}

std::string wanted_text(const WholeRange& range) {
  return "a whole number from " + std::to_string(range.least) + " to " + std::to_string(range.most);
}

std::string wanted_text(const RealRange& range) {
  if (std::isinf(range.most)) return "a number of at least " + shortest(range.least);
  return "a number from " + shortest(range.least) + " to " + shortest(range.most);
}

}  // namespace bitplane::cli
