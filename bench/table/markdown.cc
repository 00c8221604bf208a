// SPDX-License-Identifier: Apache-2.0
#include "table/markdown.h"

#include <algorithm>
#include <cstdio>

#include "bitplane/kernels/isa.h"

namespace bitplane::bench {
namespace {

using Rows = std::vector<const Row*>;

std::string number(double value, const char* format) {
  char text[32];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

/// Three digits that mean something.
std::string short_number(double value) {
  return number(value, value < 10 ? "%.2f" : value < 100 ? "%.1f" : "%.0f");
}

std::string or_dash(double value, const char* format) {
  return value > 0 ? number(value, format) : "-";
}

/// In the order in which the rows came.
std::vector<std::string> values_of(const Rows& rows, std::string RowKey::*field) {
  std::vector<std::string> values;
  for (const Row* row : rows) {
    const std::string& value = row->key.*field;
    if (std::find(values.begin(), values.end(), value) == values.end()) values.push_back(value);
  }
  return values;
}

Rows select(const Rows& rows, std::string RowKey::*field, const std::string& value) {
  Rows selected;
  for (const Row* row : rows) {
    if (row->key.*field == value) selected.push_back(row);
  }
  return selected;
}

std::size_t level_of(const std::string& isa) {
  std::size_t level = 0;
  while (level < kernels::kIsas.size() && kernels::kIsas[level].name != isa) ++level;
  return level;
}

/// Seconds of packing the activations of `row` with the kernels of its ISA level or the best below; 0:
/// unknown.
double packing_seconds(const Table& table, const Row& row) {
  const Row* best = nullptr;
  for (const Row& packing : table.rows) {
    if (packing.key.group != "packing" || packing.key.shape != row.key.shape ||
        packing.key.bits != row.key.bits.substr(row.key.bits.find('/') + 1) ||
        level_of(packing.key.isa) > level_of(row.key.isa))
      continue;
    if (best == nullptr || level_of(packing.key.isa) > level_of(best->key.isa)) best = &packing;
  }
  return best == nullptr ? 0.0 : median_seconds(*best);
}

/// Seconds of the bare product of the layer's sizes by the same kernel; 0: there is no such row.
double gemm_seconds(const Table& table, const Row& row) {
  for (const Row& gemm : table.rows) {
    if (gemm.key.group == "gemm" && gemm.key.shape == row.gemm && gemm.key.bits == row.key.bits &&
        gemm.key.basis == row.key.basis && gemm.key.kernel == row.key.kernel)
      return median_seconds(gemm);
  }
  return 0.0;
}

std::string peaks_text(const Rows& rows) {
  std::string text =
      "\n## Peaks of one core, measured in this run\n\n| limit | ISA | instructions | rate |\n";
  text += "|---|---|---|---|\n";
  for (const Row* row : rows) {
    text += "| " + row->key.shape + " | " + row->key.isa + " | " + row->key.kernel + " | " +
            short_number(row->work / median_seconds(*row) * 1e-9) + " " + row->unit + " |\n";
  }
  return text;
}

/// The fastest of `rows` at or below an ISA level, peers aside; null: none.
const Row* best_at(const Rows& rows, std::size_t level) {
  const Row* best = nullptr;
  for (const Row* row : rows) {
    if (is_peer(*row) || level_of(row->key.isa) > level) continue;
    if (best == nullptr || median_seconds(*row) < median_seconds(*best)) best = row;
  }
  return best;
}

/// What selection by cost takes at the level, where that is another kernel than the fastest, and how much
/// longer it takes.
std::string choice_text(const Rows& rows, const std::string& isa, const Row& best) {
  for (const Row* row : rows) {
    if (row == &best || std::ranges::count(row->chosen_at, isa) == 0) continue;
    return " (chosen: " + row->key.kernel + ", " + short_number(median_seconds(*row) / median_seconds(best)) +
           "x the time)";
  }
  return "";
}

std::string best_cell(const Table& table, const Rows& rows, const std::string& isa) {
  const Row* best = best_at(rows, level_of(isa));
  if (best == nullptr) return "-";
  Row at_level = *best;  // compared with the peers of the level, whatever level the kernel is of
  at_level.key.isa = isa;
  const Row* peer = table.best_peer(at_level);
  std::string cell = short_number(best->macs / median_seconds(*best) * 1e-9);
  if (peer != nullptr) cell += ", " + short_number(median_seconds(*peer) / median_seconds(*best)) + "x";
  return cell + " " + best->key.kernel + choice_text(rows, isa, *best);
}

/// One line per shape and width, one column per ISA level: the kernel that an engine limited to it would
/// want.
std::string best_text(const Table& table, const Rows& rows) {
  std::vector<std::string> isas = values_of(rows, &RowKey::isa);
  std::sort(isas.begin(), isas.end(),
            [](const std::string& a, const std::string& b) { return level_of(a) < level_of(b); });
  std::string text =
      "\nThe fastest kernel at each level: GMAC/s, times the best peer of the level, and what selection by "
      "cost takes if that is another.\n\n";
  text += "| shape | W/A | basis |";
  std::string line = "|---|---|---|";
  for (const std::string& isa : isas) {
    text += " " + isa + " |";
    line += "---|";
  }
  text += "\n" + line + "\n";
  for (const std::string& shape : values_of(rows, &RowKey::shape)) {
    const Rows of_shape = select(rows, &RowKey::shape, shape);
    for (const std::string& bits : values_of(of_shape, &RowKey::bits)) {
      const Rows of_bits = select(of_shape, &RowKey::bits, bits);
      for (const std::string& basis : values_of(of_bits, &RowKey::basis)) {
        const Rows candidates = select(of_bits, &RowKey::basis, basis);
        if (std::all_of(candidates.begin(), candidates.end(), [](const Row* r) { return is_peer(*r); }))
          continue;
        text += "| " + shape + " | " + bits + " | " + basis + " |";
        for (const std::string& isa : isas) text += " " + best_cell(table, candidates, isa) + " |";
        text += "\n";
      }
    }
  }
  return text;
}

std::string row_text(const Table& table, const Row& row) {
  const double seconds = median_seconds(row);
  const Row* peer = is_peer(row) ? nullptr : table.best_peer(row);
  std::string text = "| " + row.key.bits + " | " + row.key.basis + " | " + row.key.kernel + " | " +
                     row.key.isa + " | " + short_number(seconds * 1e6) + " | " +
                     number(relative_spread(row) * 100, "%.1f") + " | " +
                     or_dash(row.macs / seconds * 1e-9, "%.1f") + " | " +
                     or_dash(row.bit_operations / seconds * 1e-9, "%.0f") + " | " +
                     or_dash(table.share_of_peak(row) * 100, "%.0f %%") + " | " +
                     (peer == nullptr ? "-" : short_number(median_seconds(*peer) / seconds)) + " |";
  if (row.key.group == "vector") text += " " + or_dash(table.share_of_bound(row) * 100, "%.0f %%") + " |";
  if (row.key.group == "gemm" || row.key.group == "vector") {
    const double packing = packing_seconds(table, row);
    text += " " + (packing > 0 ? short_number((seconds + packing) * 1e6) : "-") + " |";
  } else if (row.key.group == "conv") {
    const double gemm = gemm_seconds(table, row);
    text += " " + (gemm > 0 ? short_number(seconds / gemm) : "-") + " |";
  }
  return text + "\n";
}

std::string group_text(const Table& table, const std::string& group, const Rows& rows) {
  std::string text = "\n## " + group + "\n";
  if (rows.front()->macs > 0) text += best_text(table, rows);
  std::string extra, line;
  if (group == "vector") extra = " of reading and popcounts |";
  if (group == "gemm" || group == "vector") extra += " us with packing |";
  if (group == "conv") extra = " of bare GEMM |";
  line = group == "vector" ? "---|---|" : extra.empty() ? "" : "---|";
  for (const std::string& shape : values_of(rows, &RowKey::shape)) {
    text += "\n### " + group + " " + shape + "\n\n";
    text += "| W/A | basis | kernel | ISA | us | +- % | GMAC/s | Gbit-op/s | of peak | times best peer |";
    text += extra + "\n|---|---|---|---|---|---|---|---|---|---|" + line + "\n";
    for (const Row* row : select(rows, &RowKey::shape, shape)) text += row_text(table, *row);
  }
  return text;
}

}  // namespace

std::string markdown(const Table& table) {
  std::string text = "# Kernels, one thread\n\n" + table.machine + "\n";
  for (const std::string& note : table.notes) text += "\n- " + note;
  if (!table.notes.empty()) text += "\n";
  Rows all;
  for (const Row& row : table.rows) all.push_back(&row);
  const Rows peaks = select(all, &RowKey::group, "peaks");
  if (!peaks.empty()) text += peaks_text(peaks);
  for (const std::string& group : values_of(all, &RowKey::group)) {
    if (group != "peaks") text += group_text(table, group, select(all, &RowKey::group, group));
  }
  return text;
}

}  // namespace bitplane::bench
