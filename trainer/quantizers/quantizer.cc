// SPDX-License-Identifier: Apache-2.0
#include "trainer/quantizers/quantizer.h"

#include <algorithm>
#include <utility>

#include "trainer/tensor/row_loops.h"

namespace bitplane::train {

std::vector<Tensor> WeightQuantizer::backward(const Context&, const Tensor&, Tensor grad_output) {
  return {std::move(grad_output)};
}

std::vector<double> WeightQuantizer::surrogate(std::span<const double> filter) const {
  return {filter.begin(), filter.end()};
}

void ActivationQuantizer::before_batch(const Context&, const Tensor&) {}

std::vector<Tensor> ActivationQuantizer::backward(const Context& ctx, const ThresholdTable& used,
                                                  const Tensor& x, Tensor grad_output) {
  return {mask_gradient(ctx.backend, pass_interval({.table = &used}), x, std::move(grad_output))};
}

double ActivationQuantizer::surrogate(double x) const {
  const ThresholdTable t = table();
  return std::clamp(x, static_cast<double>(t.pass_above), static_cast<double>(t.pass_up_to));
}

}  // namespace bitplane::train
