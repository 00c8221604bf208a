// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "case.h"

namespace bitplane::bench {

/// For every shape, width, basis and instruction set of the low-bit rows: the kernel that is cheapest by
/// cost, and the one that a session with autotune takes for this layer, against the fastest of the same run.
/// Every layer lies between quantizers here. Names of combinations are as those of rows, without the kernel;
/// `filter` is a regular expression on them. Markdown: the counts, and each that is more than 10 % slower.
[[nodiscard]] std::string selection_report(const Selection& selection, const std::string& filter);

}  // namespace bitplane::bench
