// SPDX-License-Identifier: Apache-2.0
//
// Is one run slower than another? Shares of the peak are compared where both runs have them, times otherwise:
// a lower clock, or another machine of the same kind, moves the peak with the row.
#pragma once

#include <string>
#include <vector>

#include "table/row.h"

namespace bitplane::bench {

struct Change {
  RowKey key{};
  double slowdown = 1;   ///< > 1: the new run is slower
  double tolerance = 0;  ///< slowdowns up to 1 + tolerance are noise
};

struct Comparison {
  std::size_t compared = 0;
  std::vector<Change> regressions;   ///< slower beyond noise, worst first
  std::vector<Change> improvements;  ///< faster beyond noise, best first
  std::vector<RowKey> missing;       ///< rows of the old run that the new run lacks
};

/// Peaks and peers are compared with nothing: they say what the machine did, not what the kernels do.
/// The tolerance is kFloor, or three times the combined relative spread of the repetitions of both runs: of
/// the two rows, and of the two peaks where shares are compared.
[[nodiscard]] Comparison compare(const Table& before, const Table& after);
/// One line per change, for people.
[[nodiscard]] std::string comparison_text(const Comparison& comparison);

}  // namespace bitplane::bench
