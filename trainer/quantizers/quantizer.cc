// SPDX-License-Identifier: Apache-2.0
#include "trainer/quantizers/quantizer.h"

#include <algorithm>
#include <utility>

namespace bitplane::train {

Tensor WeightQuantizer::backward(const Context&, const Tensor&, Tensor grad_output) {
  return grad_output;
}

std::vector<double> WeightQuantizer::surrogate(std::span<const double> filter) const {
  return {filter.begin(), filter.end()};
}

void ActivationQuantizer::before_batch(const Context&, const Tensor&) {}

double ActivationQuantizer::surrogate(double x) const {
  const ThresholdTable t = table();
  return std::clamp(x, static_cast<double>(t.pass_above), static_cast<double>(t.pass_up_to));
}

}  // namespace bitplane::train
