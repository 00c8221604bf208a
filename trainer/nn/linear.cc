// SPDX-License-Identifier: Apache-2.0
#include "trainer/nn/linear.h"

#include <utility>

#include "trainer/ops/quantize.h"

namespace bitplane::train {

Linear::Linear(const LinearOptions& options, std::unique_ptr<WeightQuantizer> quantizer)
    : options_(options), quantizer_(std::move(quantizer)) {
  weight_ = make_weight({options.out_features, options.in_features}, options.in_features, options.start,
                        quantizer_.get());
  if (options.bias == Bias::Learned) bias_ = make_bias(options.out_features, options.start);
}

Variable Linear::forward(const Context& ctx, const Variable& x) {
  const Variable w = quantizer_ ? quantize_weights(ctx, weight_.variable, *quantizer_) : weight_.variable;
  return linear(ctx, x, w, bias_.variable, options_.rounding);
}

void Linear::visit_state(const std::string& prefix, const StateVisitor& visitor) {
  visitor.parameter(prefix + "weight", weight_);
  if (bias_.variable.defined()) visitor.parameter(prefix + "bias", bias_);
  if (quantizer_) visit_quantizer(prefix, visitor, weight_, *quantizer_);
}

std::string Linear::append_to(LayerGraph& graph, const std::string& name, const std::string& input) const {
  graph.nodes.push_back({name, {input}, this});
  return name;
}

const Tensor* Linear::bias() const noexcept {
  return bias_.variable.defined() ? &bias_.variable.value() : nullptr;
}

}  // namespace bitplane::train
