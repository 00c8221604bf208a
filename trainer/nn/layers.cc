// SPDX-License-Identifier: Apache-2.0
#include "trainer/nn/layers.h"

#include <utility>

#include "trainer/math/random.h"
#include "trainer/ops/elementwise.h"
#include "trainer/ops/quantize.h"

namespace bitplane::train {
namespace {

template <class Layer>
std::string append(LayerGraph& graph, const std::string& name, const std::string& input, const Layer* layer) {
  graph.nodes.push_back({name, {input}, layer});
  return name;
}

}  // namespace

Variable Relu::forward(const Context& ctx, const Variable& x) {
  return relu(ctx, x);
}
std::string Relu::append_to(LayerGraph& graph, const std::string& name, const std::string& input) const {
  return append(graph, name, input, this);
}

Variable MaxPool::forward(const Context& ctx, const Variable& x) {
  return max_pool(ctx, x, options_);
}
std::string MaxPool::append_to(LayerGraph& graph, const std::string& name, const std::string& input) const {
  return append(graph, name, input, this);
}

Variable AveragePool::forward(const Context& ctx, const Variable& x) {
  return average_pool(ctx, x, options_);
}
std::string AveragePool::append_to(LayerGraph& graph, const std::string& name,
                                   const std::string& input) const {
  return append(graph, name, input, this);
}

Variable GlobalAveragePool::forward(const Context& ctx, const Variable& x) {
  return global_average_pool(ctx, x);
}
std::string GlobalAveragePool::append_to(LayerGraph& graph, const std::string& name,
                                         const std::string& input) const {
  return append(graph, name, input, this);
}

Dropout::Dropout(double rate, std::string_view stream_name)
    : options_{.rate = rate, .stream = stream_of(stream_name)} {}

Variable Dropout::forward(const Context& ctx, const Variable& x) {
  return dropout(ctx, x, options_);
}
std::string Dropout::append_to(LayerGraph& graph, const std::string& name, const std::string& input) const {
  return append(graph, name, input, this);
}

Variable LocalResponseNorm::forward(const Context& ctx, const Variable& x) {
  return local_response_norm(ctx, x, options_);
}
std::string LocalResponseNorm::append_to(LayerGraph& graph, const std::string& name,
                                         const std::string& input) const {
  return append(graph, name, input, this);
}

Variable ZeroChannelShortcut::forward(const Context& ctx, const Variable& x) {
  return zero_channel_shortcut(ctx, x, options_);
}
std::string ZeroChannelShortcut::append_to(LayerGraph& graph, const std::string& name,
                                           const std::string& input) const {
  return append(graph, name, input, this);
}

Variable Flatten::forward(const Context& ctx, const Variable& x) {
  return flatten(ctx, x);
}
std::string Flatten::append_to(LayerGraph& graph, const std::string& name, const std::string& input) const {
  return append(graph, name, input, this);
}

Quantize::Quantize(std::unique_ptr<ActivationQuantizer> quantizer) : quantizer_(std::move(quantizer)) {}

Variable Quantize::forward(const Context& ctx, const Variable& x) {
  return quantize(ctx, x, *quantizer_);
}

void Quantize::visit_state(const std::string& prefix, const StateVisitor& visitor) {
  quantizer_->visit_state(prefix, visitor);
  if (visitor.activations) visitor.activations(*quantizer_);
}

std::string Quantize::append_to(LayerGraph& graph, const std::string& name, const std::string& input) const {
  return append(graph, name, input, this);
}

}  // namespace bitplane::train
