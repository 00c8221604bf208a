// SPDX-License-Identifier: Apache-2.0
//
// The machine's peaks (kernels/peaks), which every row reports its share of.
#pragma once

#include "peaks/family_peaks.h"
#include "peaks/loops.h"

namespace bitplane::bench {

using namespace peaks;

}  // namespace bitplane::bench
