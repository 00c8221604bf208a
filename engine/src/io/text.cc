// SPDX-License-Identifier: Apache-2.0
#include "io/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>

namespace bitplane::engine {
namespace {

constexpr std::size_t kLongestShown = 80;

bool is_control(char c) noexcept {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}
bool continues_character(char c) noexcept {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

}  // namespace

std::string in_quotes(std::string_view text) {
  std::size_t size = text.size();
  const bool cut = size > kLongestShown;
  if (cut) {
    size = kLongestShown;
    while (size > 0 && continues_character(text[size])) --size;
  }
  std::string shown = "'";
  for (const char c : text.substr(0, size)) shown += is_control(c) ? '?' : c;
  shown += cut ? "...'" : "'";
  return shown;
}

std::string number_text(float value) {
  std::array<char, 32> digits{};
  const std::to_chars_result end = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  return {digits.data(), end.ptr};
}

bool has_control_characters(std::string_view text) noexcept {
  return std::any_of(text.begin(), text.end(), is_control);
}

}  // namespace bitplane::engine
