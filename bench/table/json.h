// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "table/row.h"

namespace bitplane::bench {

/// The whole table; what can be computed from a row (median, shares, ratios) is written beside it for other
/// tools and not read back.
void write_json(const Table& table, const std::string& path);
/// Both throw std::runtime_error with the path and what is wrong.
[[nodiscard]] Table read_json(const std::string& path);

}  // namespace bitplane::bench
