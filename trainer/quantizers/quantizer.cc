// SPDX-License-Identifier: Apache-2.0
#include "trainer/quantizers/quantizer.h"

#include <algorithm>
#include <string>
#include <utility>

#include "trainer/quantizers/weight_levels.h"
#include "trainer/tensor/row_loops.h"

namespace bitplane::train {

std::vector<Reading> numbered_readings(std::string_view name, std::span<const float> values) {
  std::vector<Reading> readings;
  for (std::size_t i = 0; i < values.size(); ++i) {
    readings.push_back({std::string(name) + "_" + std::to_string(i), static_cast<double>(values[i])});
  }
  return readings;
}

std::vector<Tensor> WeightQuantizer::backward(const Context&, const Tensor&, Tensor grad_output) {
  return {std::move(grad_output)};
}

std::optional<CodebookExport> WeightQuantizer::export_codebook(const Tensor& weights) const {
  return codebook_of(export_weights(weights));
}

std::vector<double> WeightQuantizer::surrogate(const SurrogatePoint& point) const {
  return {point.x.begin(), point.x.end()};
}

void WeightQuantizer::constrain(Tensor&) {}

void WeightQuantizer::begin_stage(const StagePosition&, Tensor&) {}

void ActivationQuantizer::before_batch(const Context&, const Tensor&) {}

void ActivationQuantizer::constrain() {}

std::vector<Tensor> ActivationQuantizer::backward(const Context& ctx, const ThresholdTable& used,
                                                  const Tensor& x, Tensor grad_output) {
  return {mask_gradient(ctx.backend, pass_interval({.table = &used}), x, std::move(grad_output))};
}

void ActivationQuantizer::after_batch(const RankStatistics&) {}

std::vector<double> ActivationQuantizer::surrogate(const SurrogatePoint& point) const {
  const ThresholdTable t = table();
  std::vector<double> y;
  for (const double x : point.x) {
    y.push_back(std::clamp(x, static_cast<double>(t.pass_above), static_cast<double>(t.pass_up_to)));
  }
  return y;
}

}  // namespace bitplane::train
