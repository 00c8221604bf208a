// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <memory>
#include <string_view>

#include "trainer/quantizers/incremental.h"
#include "trainer/quantizers/list.h"

namespace bitplane::train::testing {

inline std::unique_ptr<WeightQuantizer> make_quantizer(std::string_view name, std::size_t bits,
                                                       const Tensor& weights,
                                                       const OptionValues& options = {}) {
  return find_quantizer(name)->make_weights({.bits = bits,
                                             .out_channels = weights.shape().front(),
                                             .filter_size = weights.size() / weights.shape().front(),
                                             .options = options});
}

inline IncrementalWeights& incremental(WeightQuantizer& quantizer) {
  return dynamic_cast<IncrementalWeights&>(quantizer);
}

inline double no_loss() {
  return 0.0;
}

inline std::size_t count_frozen(const IncrementalWeights& quantizer) {
  const Tensor frozen = quantizer.frozen();
  return static_cast<std::size_t>(std::count(frozen.values().begin(), frozen.values().end(), 1.0F));
}

/// All parts one after another, without training in between; does nothing to other quantizers.
inline void quantize_all_parts(Backend& backend, WeightQuantizer& quantizer, Tensor& weights) {
  auto* parts = dynamic_cast<IncrementalWeights*>(&quantizer);
  while (parts != nullptr && parts->keeps_floats()) {
    parts->choose(backend, weights, no_loss);
    parts->freeze(backend, weights);
  }
}

}  // namespace bitplane::train::testing
