// SPDX-License-Identifier: Apache-2.0
#include "trainer/quantizers/list.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>

#include "trainer/quantizers/rows.h"

namespace bitplane::train {
namespace {

constexpr std::array kQuantizers{
    &kLqNets, &kQil, &kGdrq, &kLsq,    &kDorefa, &kPact, &kHwgq, &kBwn, &kSign,
    &kTwn,    &kTtq, &kTsq,  &kAbcNet, &kInq,    &kSlq,  &kEslq, &kMlq,
};

void check_bits(const QuantizerInfo& info, const char* side, BitRange range, std::size_t bits) {
  if (range.contains(bits)) return;
  throw std::invalid_argument("quantizer '" + std::string(info.name) + "' got " + std::to_string(bits) +
                              " bits for " + side + ": it does " + to_string(range));
}

}  // namespace

std::string to_string(BitRange range) {
  if (range.max == 0) return "none";
  if (range.min == range.max) return std::to_string(range.min);
  return std::to_string(range.min) + " to " + std::to_string(range.max);
}

std::unique_ptr<WeightQuantizer> QuantizerInfo::make_weights(const WeightQuantizerOptions& layer) const {
  check_bits(*this, "weights", weight_bits, layer.bits);
  return weights(layer);
}

std::unique_ptr<ActivationQuantizer> QuantizerInfo::make_activations(
    const ActivationQuantizerOptions& layer) const {
  check_bits(*this, "activations", activation_bits, layer.bits);
  return activations(layer);
}

std::span<const QuantizerInfo* const> quantizers() noexcept {
  return kQuantizers;
}

const QuantizerInfo* find_quantizer(std::string_view name) noexcept {
  const auto it = std::find_if(kQuantizers.begin(), kQuantizers.end(),
                               [&](const QuantizerInfo* q) { return q->name == name; });
  return it != kQuantizers.end() ? *it : nullptr;
}

}  // namespace bitplane::train
