// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "table/row.h"

namespace bitplane::bench {

/// The whole table, every field of its rows; what can be computed from them (median, shares, ratios) is
/// written beside them for other tools and not read back.
void write_json(const Table& table, const std::string& path);
/// Both throw std::runtime_error with the path and what is wrong.
[[nodiscard]] Table read_json(const std::string& path);

}  // namespace bitplane::bench
