// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "trainer/quantizers/incremental.h"

namespace bitplane::train::testing {

/// All parts one after another, without training in between; does nothing to other quantizers.
inline void quantize_all_parts(Backend& backend, WeightQuantizer& quantizer, Tensor& weights) {
  auto* incremental = dynamic_cast<IncrementalWeights*>(&quantizer);
  while (incremental != nullptr && incremental->keeps_floats()) {
    incremental->choose(backend, weights, [] { return 0.0; });
    incremental->freeze(backend, weights);
  }
}

}  // namespace bitplane::train::testing
