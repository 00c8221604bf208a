// SPDX-License-Identifier: Apache-2.0
#include "engine/data/nearest_name.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace bitplane::engine::data {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, replaced});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) now[j] = std::min(now[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, now);
  }
  return last[b.size()];
}

std::optional<std::string_view> nearest_name(std::string_view name, std::span<const std::string_view> known) {
  std::optional<std::string_view> best;
  std::size_t best_distance = 0;
  for (const std::string_view candidate : known) {
    if (name.empty() || candidate.empty()) continue;
    std::size_t distance = edit_distance(name, candidate);
    const bool prefix = candidate.starts_with(name) || name.starts_with(candidate);
    if (prefix) distance = 1;
    if (!prefix && distance > std::max<std::size_t>(1, std::max(name.size(), candidate.size()) / 3)) continue;
    if (!best || distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string unknown_name_message(std::string_view kind, std::string_view name,
                                 std::span<const std::string_view> known) {
  std::string message = "unknown " + std::string(kind) + " '" + std::string(name) + "'";
  if (const auto near = nearest_name(name, known)) message += "; did you mean '" + std::string(*near) + "'?";
  std::string_view separator = message.ends_with('?') ? " Known: " : "; known: ";
  for (const std::string_view candidate : known) {
    message += separator;
    message += candidate;
    separator = ", ";
  }
  return message;
}

}  // namespace bitplane::engine::data
