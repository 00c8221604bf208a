// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "case.h"

namespace bitplane::bench {

/// oneDNN's rows; nothing where the benchmark was built without it.
void add_peer_cases(const Selection& selection, std::vector<Case>& cases);

}  // namespace bitplane::bench
