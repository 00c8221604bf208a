// SPDX-License-Identifier: Apache-2.0
#include "trainer/quantizers/list.h"

#include <algorithm>
#include <array>

#include "trainer/quantizers/lq_activations.h"
#include "trainer/quantizers/lq_weights.h"

namespace bitplane::train {
namespace {

template <class Q, class Base, class Options>
std::unique_ptr<Base> make(const Options& options) {
  return std::make_unique<Q>(options);
}

constexpr std::array kQuantizers{
    QuantizerInfo{"lq-nets", "learned bit basis, per output channel (weights) and per layer (activations)", 1,
                  8, &make<LqWeights, WeightQuantizer, WeightQuantizerOptions>,
                  &make<LqActivations, ActivationQuantizer, ActivationQuantizerOptions>},
};

}  // namespace

std::span<const QuantizerInfo> quantizers() noexcept {
  return kQuantizers;
}

const QuantizerInfo* find_quantizer(std::string_view name) noexcept {
  const auto it =
      std::find_if(kQuantizers.begin(), kQuantizers.end(), [&](const auto& q) { return q.name == name; });
  return it != kQuantizers.end() ? &*it : nullptr;
}

}  // namespace bitplane::train
