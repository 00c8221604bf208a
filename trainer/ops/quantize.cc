// SPDX-License-Identifier: Apache-2.0
#include "trainer/ops/quantize.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

#include "trainer/autograd/profile.h"
#include "trainer/tensor/row_loops.h"

namespace bitplane::train {
namespace {

Variables inputs_of(const Variable& operand, const Quantizer& quantizer) {
  Variables inputs = quantizer.trained();
  inputs.insert(inputs.begin(), operand);
  return inputs;
}

/// No level stands for it: all comparisons with thresholds are false.
[[maybe_unused]] bool has_nan(const Tensor& x) {
  return std::any_of(x.values().begin(), x.values().end(), [](float v) { return std::isnan(v); });
}

}  // namespace

Variable quantize(const Context& ctx, const Variable& x, ActivationQuantizer& quantizer) {
  const OpTimer timer(ctx, "quantize");
  const Tensor& input = x.value();
  assert(!has_nan(input));
  if (ctx.mode == Mode::Train && quantizer.looks_ahead()) quantizer.before_batch(ctx, input);
  ThresholdTable table = quantizer.table();
  const RowMap map{.table = &table};
  Tensor y(input.shape());
  if (ctx.mode == Mode::Train && quantizer.wants_statistics()) {
    quantizer.after_batch(map_rows_counted(ctx.backend, map, input, y));
  } else {
    map_rows(ctx.backend, map, input, y);
  }
  return record(ctx, "quantize", std::move(y), inputs_of(x, quantizer),
                [ctx, x = input, table = std::move(table), &quantizer](Tensor dy) {
                  return quantizer.backward(ctx, table, x, std::move(dy));
                });
}

Variable quantize_weights(const Context& ctx, const Variable& weights, WeightQuantizer& quantizer) {
  const OpTimer timer(ctx, "quantize_weights");
  assert(!has_nan(weights.value()));
  return record(ctx, "quantize_weights", quantizer.forward(ctx, weights.value()),
                inputs_of(weights, quantizer), [ctx, saved = weights.value(), &quantizer](Tensor dy) {
                  return quantizer.backward(ctx, saved, std::move(dy));
                });
}

std::vector<std::uint8_t> quantize_codes(const Tensor& x, const ThresholdTable& table) {
  std::vector<std::uint8_t> codes;
  codes.reserve(x.size());
  for (const float value : x.values()) {
    std::size_t rank = 0;
    for (const float t : table.thresholds) rank += value > t ? 1 : 0;
    codes.push_back(table.code_of_rank[rank]);
  }
  return codes;
}

}  // namespace bitplane::train
