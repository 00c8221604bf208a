// SPDX-License-Identifier: Apache-2.0
#include "table/compare.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace bitplane::bench {
namespace {

/// Repetitions that happen to agree don't make a run exact: code placement alone moves a row this much.
constexpr double kFloor = 0.05;
constexpr double kSigmas = 3.0;

/// How much slower, and the relative spread of all that this was computed from.
struct Slowdown {
  double factor = 1, spread = 0;
};

Slowdown slowdown_of(const Table& before, const Row& old_row, const Table& after, const Row& new_row) {
  const double rows = std::hypot(relative_spread(old_row), relative_spread(new_row));
  const double old_share = before.share_of_peak(old_row), new_share = after.share_of_peak(new_row);
  if (old_share <= 0 || new_share <= 0) return {median_seconds(new_row) / median_seconds(old_row), rows};
  return {old_share / new_share, std::hypot(rows, relative_spread(*before.peak_row(old_row, old_row.peak)),
                                            relative_spread(*after.peak_row(new_row, new_row.peak)))};
}

std::string changes_text(const char* what, const std::vector<Change>& changes) {
  std::string text;
  for (const Change& change : changes) {
    char numbers[64];
    std::snprintf(numbers, sizeof numbers, "%s %+.1f %% time (noise +-%.1f %%): ", what,
                  (change.slowdown - 1) * 100, change.tolerance * 100);
    text += numbers + row_name(change.key) + "\n";
  }
  return text;
}

}  // namespace

Comparison compare(const Table& before, const Table& after) {
  Comparison comparison;
  for (const Row& old_row : before.rows) {
    if (old_row.key.group == "peaks" || is_peer(old_row) || median_seconds(old_row) <= 0) continue;
    const auto found = std::find_if(after.rows.begin(), after.rows.end(),
                                    [&](const Row& row) { return row.key == old_row.key; });
    if (found == after.rows.end() || median_seconds(*found) <= 0) {
      comparison.missing.push_back(old_row.key);
      continue;
    }
    ++comparison.compared;
    const Slowdown slowdown = slowdown_of(before, old_row, after, *found);
    const Change change{.key = old_row.key,
                        .slowdown = slowdown.factor,
                        .tolerance = std::max(kFloor, kSigmas * slowdown.spread)};
    if (change.slowdown > 1 + change.tolerance) comparison.regressions.push_back(change);
    if (change.slowdown < 1 / (1 + change.tolerance)) comparison.improvements.push_back(change);
  }
  const auto faster_first = [](const Change& a, const Change& b) { return a.slowdown < b.slowdown; };
  std::sort(comparison.improvements.begin(), comparison.improvements.end(), faster_first);
  std::sort(comparison.regressions.rbegin(), comparison.regressions.rend(), faster_first);
  return comparison;
}

std::string comparison_text(const Comparison& comparison) {
  std::string text =
      changes_text("faster", comparison.improvements) + changes_text("REGRESSION", comparison.regressions);
  text += std::to_string(comparison.compared) + " rows compared, " +
          std::to_string(comparison.regressions.size()) + " slower beyond noise, " +
          std::to_string(comparison.improvements.size()) + " faster, " +
          std::to_string(comparison.missing.size()) + " not in this run\n";
  return text;
}

}  // namespace bitplane::bench
