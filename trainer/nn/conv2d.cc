// SPDX-License-Identifier: Apache-2.0
#include "trainer/nn/conv2d.h"

#include <stdexcept>
#include <utility>

#include "trainer/ops/quantize.h"

namespace bitplane::train {

Parameter make_weight(const Shape& shape, std::size_t fan_in, const WeightStart& start,
                      const WeightQuantizer* quantizer) {
  Parameter weight{.variable = Variable(Tensor(shape), Gradient::Required),
                   .role = ParameterRole::Weight,
                   .init = {.rule = InitRule::HeFanIn, .fan_in = fan_in}};
  if (start.deviation) weight.init = {.rule = InitRule::Normal, .value = *start.deviation};
  if (quantizer != nullptr) {
    weight.learning_rate_factor = quantizer->learning_rate_factor();
    weight.frozen = quantizer->frozen();
  }
  return weight;
}

Parameter make_bias(std::size_t outputs, const WeightStart& start) {
  return {.variable = Variable(Tensor::zeros({outputs}), Gradient::Required),
          .role = ParameterRole::Bias,
          .init = {.value = start.bias},
          .learning_rate_factor = start.bias_rate};
}

void visit_quantizer(const std::string& prefix, const StateVisitor& visitor, Parameter& weight,
                     WeightQuantizer& quantizer) {
  quantizer.visit_state(prefix + "quantizer.", visitor);
  if (visitor.quantized)
    visitor.quantized(prefix.substr(0, prefix.size() - 1), weight.variable.mutable_value(), quantizer);
}

Conv2d::Conv2d(const Conv2dOptions& options, std::unique_ptr<WeightQuantizer> quantizer)
    : options_(options), quantizer_(std::move(quantizer)) {
  if (options.groups == 0 || options.in_channels % options.groups != 0 ||
      options.out_channels % options.groups != 0) {
    throw std::invalid_argument("a convolution's channels must be multiples of its groups");
  }
  const std::size_t in = options.in_channels / options.groups;
  const Shape shape{options.out_channels, options.kernel, options.kernel, in};
  weight_ = make_weight(shape, options.kernel * options.kernel * in, options.start, quantizer_.get());
  if (options.bias == Bias::Learned) bias_ = make_bias(options.out_channels, options.start);
}

Variable Conv2d::forward(const Context& ctx, const Variable& x) {
  const Variable w = quantizer_ ? quantize_weights(ctx, weight_.variable, *quantizer_) : weight_.variable;
  return conv2d(ctx, x, w, bias_.variable,
                {.stride_h = options_.stride,
                 .stride_w = options_.stride,
                 .pad_h = options_.pad,
                 .pad_w = options_.pad,
                 .dilation_h = options_.dilation,
                 .dilation_w = options_.dilation,
                 .groups = options_.groups,
                 .rounding = options_.rounding});
}

void Conv2d::visit_state(const std::string& prefix, const StateVisitor& visitor) {
  visitor.parameter(prefix + "weight", weight_);
  if (bias_.variable.defined()) visitor.parameter(prefix + "bias", bias_);
  if (quantizer_) visit_quantizer(prefix, visitor, weight_, *quantizer_);
}

std::string Conv2d::append_to(LayerGraph& graph, const std::string& name, const std::string& input) const {
  graph.nodes.push_back({name, {input}, this});
  return name;
}

const Tensor* Conv2d::bias() const noexcept {
  return bias_.variable.defined() ? &bias_.variable.value() : nullptr;
}

}  // namespace bitplane::train
