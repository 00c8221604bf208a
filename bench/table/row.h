// SPDX-License-Identifier: Apache-2.0
//
// One measured row: what ran, how much useful work it was, and how long each repetition took. Everything that
// is printed, stored or compared is computed from rows.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace bitplane::bench {

/// What a row is of. Two runs' rows are the same row if these are equal.
struct RowKey {
  std::string group{};   ///< gemm, vector, conv, packing, epilogue, f32, peaks
  std::string shape{};   ///< "S1", "ResNet-18 56x56 64>64 3x3", "read 32 KiB"
  std::string bits{};    ///< "1/2", "8/8", "32/32", or empty
  std::string basis{};   ///< uniform, learned, int8, float, "levels, 3", or empty
  std::string kernel{};  ///< the registry's name, or the peer's own
  std::string isa{};     ///< the registry's name of the instruction set
  friend bool operator==(const RowKey&, const RowKey&) = default;
  friend auto operator<=>(const RowKey&, const RowKey&) = default;
};
/// "gemm/S1/1_2/uniform/avx512/bitserial_32x6_avx512"
[[nodiscard]] std::string row_name(const RowKey& key);

struct Row {
  RowKey key{};
  double macs = 0;            ///< useful multiply-accumulates of one run: none with a padding zero
  double bit_operations = 0;  ///< macs * weight bits * activation bits; 0 where bits mean nothing
  /// The share of the peak: `work` in units of the row "peaks"/`peak` of the same ISA; empty: none.
  std::string peak{};
  double work = 0;
  /// Another limit that holds at the same time; empty: none.
  std::string other_peak{};
  double other_work = 0;
  /// Row "gemm"/`gemm` is the bare product of the same M, K and N; empty: there is none.
  std::string gemm{};
  std::vector<std::string> chosen_at{};  ///< ISA levels at which selection by cost takes this kernel
  std::string unit{};                    ///< of a peaks row's work, e.g. "Gfma/s"
  std::vector<double> seconds{};         ///< of one run, one entry per repetition
  friend bool operator==(const Row&, const Row&) = default;
};

/// 0 for an empty list.
[[nodiscard]] double median(std::span<const double> values);
[[nodiscard]] double median_seconds(const Row& row);
/// Spread of the repetitions relative to their median: half of the interquartile range.
[[nodiscard]] double relative_spread(const Row& row);

struct Table {
  std::string machine{};             ///< processor, for people
  std::vector<std::string> notes{};  ///< what is missing and why; options
  std::vector<Row> rows{};

  /// The peak of that name, of the same ISA as `row`; null: not measured.
  [[nodiscard]] const Row* peak_row(const Row& row, const std::string& peak) const;
  /// Its work per second; 0: not measured.
  [[nodiscard]] double peak_rate(const Row& row, const std::string& peak) const;
  /// In [0, 1], noise aside; 0: unknown.
  [[nodiscard]] double share_of_peak(const Row& row) const;
  /// The share of what both limits together allow; 0: unknown, or there is one limit only.
  [[nodiscard]] double share_of_bound(const Row& row) const;
  /// The fastest peer of the same group, shape and ISA that computes the same kind of thing (int8 beside
  /// low-bit rows, float32 beside float rows); null: there is none.
  [[nodiscard]] const Row* best_peer(const Row& row) const;
};
[[nodiscard]] bool is_peer(const Row& row);

}  // namespace bitplane::bench
