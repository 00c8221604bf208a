// SPDX-License-Identifier: Apache-2.0
#include "table/row.h"

#include <algorithm>
#include <cstddef>

namespace bitplane::bench {
namespace {

/// The value at `fraction` of the sorted list, interpolated. The list is not empty.
double quantile(std::span<const double> values, double fraction) {
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  const double at = fraction * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

std::string row_name(const RowKey& key) {
  std::string name = key.group + "/" + key.shape;
  std::string bits = key.bits;
  std::replace(bits.begin(), bits.end(), '/', '_');
  for (const std::string& part : {bits, key.basis, key.isa, key.kernel}) {
    if (!part.empty()) name += "/" + part;
  }
  return name;
}

double median(std::span<const double> values) {
  return values.empty() ? 0.0 : quantile(values, 0.5);
}

double median_seconds(const Row& row) {
  return median(row.seconds);
}

double relative_spread(const Row& row) {
  const double middle = median_seconds(row);
  if (middle <= 0) return 0.0;
  return (quantile(row.seconds, 0.75) - quantile(row.seconds, 0.25)) / (2 * middle);
}

bool is_peer(const Row& row) {
  return row.key.kernel.starts_with("oneDNN") || row.key.kernel.starts_with("Eigen");
}

const Row* Table::peak_row(const Row& row, const std::string& name) const {
  for (const Row& peak : rows) {
    if (peak.key.group == "peaks" && peak.key.shape == name && peak.key.isa == row.key.isa) return &peak;
  }
  return nullptr;
}

double Table::peak_rate(const Row& row, const std::string& name) const {
  const Row* peak = peak_row(row, name);
  const double seconds = peak == nullptr ? 0.0 : median_seconds(*peak);
  return seconds > 0 ? peak->work / seconds : 0.0;
}

double Table::share_of_peak(const Row& row) const {
  const double seconds = median_seconds(row), rate = row.peak.empty() ? 0.0 : peak_rate(row, row.peak);
  return seconds > 0 && rate > 0 ? row.work / seconds / rate : 0.0;
}

double Table::share_of_bound(const Row& row) const {
  const double other = row.other_peak.empty() ? 0.0 : peak_rate(row, row.other_peak);
  const double seconds = median_seconds(row), share = share_of_peak(row);
  return seconds > 0 && other > 0 && share > 0 ? std::max(share, row.other_work / seconds / other) : 0.0;
}

const Row* Table::best_peer(const Row& row) const {
  const bool float_row = row.key.basis == "float" || row.key.basis.starts_with("levels");
  const Row* best = nullptr;
  for (const Row& peer : rows) {
    if (!is_peer(peer) || peer.key.group != row.key.group || peer.key.shape != row.key.shape ||
        peer.key.isa != row.key.isa || (peer.key.basis == "float") != float_row)
      continue;
    if (best == nullptr || median_seconds(peer) < median_seconds(*best)) best = &peer;
  }
  return best;
}

}  // namespace bitplane::bench
