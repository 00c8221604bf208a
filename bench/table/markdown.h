// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "table/row.h"

namespace bitplane::bench {

/// The table for people: peaks, the best kernel of each shape and width at each ISA level, then every row.
[[nodiscard]] std::string markdown(const Table& table);

}  // namespace bitplane::bench
