// SPDX-License-Identifier: Apache-2.0
//
// What a run measured, one row per epoch; kMetricColumns is the one list of its columns, for the CSV, the
// JSON lines and reading them back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/quantizers/quantizer.h"

namespace bitplane::train {

struct EpochRow {
  std::uint64_t epoch = 0;                                 ///< epochs done, counted from 1
  std::uint64_t step = 0;                                  ///< steps done
  double loss = 0, train_accuracy = 0, test_accuracy = 0;  ///< accuracies in 0..1
  double lr = 0;                                           ///< of the epoch's last step
  double seconds = 0, images_per_second = 0;               ///< of the training part alone
  /// Of the net's quantizers (quantizer_readings()); in the JSON lines, not in the CSV.
  std::vector<Reading> quantizers = {};
  friend bool operator==(const EpochRow&, const EpochRow&) = default;
};

[[nodiscard]] std::string metrics_csv(std::span<const EpochRow> rows);
[[nodiscard]] std::string metrics_jsonl(std::span<const EpochRow> rows);
/// Throws std::invalid_argument naming the line that is no row.
[[nodiscard]] std::vector<EpochRow> parse_metrics_jsonl(std::string_view text);
/// How many rows of the CSV are of epochs up to `last_epoch`.
[[nodiscard]] std::size_t count_csv_epochs(std::string_view text, std::uint64_t last_epoch);

}  // namespace bitplane::train
