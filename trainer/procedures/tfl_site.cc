// SPDX-License-Identifier: Apache-2.0
#include "trainer/procedures/tfl_site.h"

#include <algorithm>
#include <cmath>
#include <variant>

namespace bitplane::train {
namespace {

/// The one node that reads `name`; nullptr when none or several do.
const LayerNode* only_reader(const LayerGraph& graph, const std::string& name) {
  const LayerNode* reader = nullptr;
  for (const LayerNode& node : graph.nodes) {
    if (std::ranges::find(node.inputs, name) == node.inputs.end()) continue;
    if (reader != nullptr) return nullptr;
    reader = &node;
  }
  return reader;
}

template <class Layer>
const Layer* as(const LayerNode* node) {
  if (node == nullptr) return nullptr;
  const auto* const* layer = std::get_if<const Layer*>(&node->layer);
  return layer != nullptr ? *layer : nullptr;
}

/// Past what only picks numbers: a target that is met at all of them is met at those.
const LayerNode* skip_pools(const LayerGraph& graph, const LayerNode* node) {
  while (as<MaxPool>(node) != nullptr || as<Dropout>(node) != nullptr) node = only_reader(graph, node->name);
  return node;
}

void follow_output(const LayerGraph& graph, TflSite& site) {
  const LayerNode* node = skip_pools(graph, only_reader(graph, site.name));
  if (const auto* norm = as<BatchNorm>(node); norm != nullptr) {
    site.norm = node->name;
    site.norm_input = node->inputs.front();
    site.epsilon = norm->options().epsilon;
    node = skip_pools(graph, only_reader(graph, node->name));
  }
  if (as<Relu>(node) != nullptr) {
    site.output = TflOutput::Relu;
    node = skip_pools(graph, only_reader(graph, node->name));
  }
  // Behind the last hidden layer there may be the 8 bits of the last one's input.
  const auto* quantize = as<Quantize>(node);
  if (quantize != nullptr && quantize->quantizer().name() == "tsq") site.output = TflOutput::Codes;
}

double value_of(const Tensor* tensor, std::size_t i, double otherwise) {
  return tensor == nullptr ? otherwise : static_cast<double>(tensor->values()[i]);
}

void set(Tensor& tensor, std::size_t i, double value) {
  tensor.mutable_values()[i] = static_cast<float>(value);
}

}  // namespace

std::size_t TflSite::out_channels() const {
  return conv != nullptr ? conv->options().out_channels : linear->options().out_features;
}

std::size_t TflSite::filter_size() const {
  const Tensor& weight = conv != nullptr ? conv->weight() : linear->weight();
  return weight.size() / out_channels();
}

std::vector<TflSite> tfl_sites(const LayerGraph& graph) {
  std::vector<TflSite> sites;
  for (const LayerNode& node : graph.nodes) {
    TflSite site{.name = node.name, .input = node.inputs.front()};
    site.conv = as<Conv2d>(&node);
    site.linear = as<Linear>(&node);
    const WeightQuantizer* quantizer = site.conv != nullptr     ? site.conv->quantizer()
                                       : site.linear != nullptr ? site.linear->quantizer()
                                                                : nullptr;
    // 8-bit first and last layers are none of ours.
    if (quantizer == nullptr || quantizer->name() != "tsq") continue;
    follow_output(graph, site);
    sites.push_back(std::move(site));
  }
  return sites;
}

NetState::NetState(Module& net) {
  for (const NamedParameter& p : named_parameters(net))
    tensors_[p.name] = &p.parameter->variable.mutable_value();
  for (const NamedBuffer& b : named_buffers(net)) tensors_[b.name] = b.buffer;
}

Tensor* NetState::find(const std::string& name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : found->second;
}

ChannelFold fold_behind(const TflSite& site, const NetState& state) {
  ChannelFold fold;
  const Tensor* bias = state.find(site.name + ".bias");
  for (std::size_t o = 0; o < site.out_channels(); ++o) {
    double scale = 1, shift = value_of(bias, o, 0);
    if (!site.norm.empty()) {
      const double variance = value_of(&state.at(site.norm + ".running_var"), o, 1);
      scale = value_of(state.find(site.norm + ".gamma"), o, 1) /
              std::sqrt(variance + static_cast<double>(site.epsilon));
      shift = value_of(state.find(site.norm + ".beta"), o, 0) +
              scale * (shift - value_of(&state.at(site.norm + ".running_mean"), o, 0));
    }
    fold.scale.push_back(scale);
    fold.shift.push_back(shift);
  }
  return fold;
}

void write_channel(const TflSite& site, const NetState& state, const TernaryChannel& from) {
  const std::size_t o = from.channel;
  const TflSolution& s = from.solution;
  const std::span<float> weights =
      state.at(site.name + ".weight").mutable_values().subspan(o * s.t.size(), s.t.size());
  for (std::size_t j = 0; j < s.t.size(); ++j)
    weights[j] = static_cast<float>(from.sign < 0 ? -s.alpha : s.alpha) * static_cast<float>(s.t[j]);
  Tensor* bias = state.find(site.name + ".bias");
  if (site.norm.empty()) {
    if (bias != nullptr) set(*bias, o, s.b);
    return;
  }
  set(state.at(site.norm + ".running_mean"), o, value_of(bias, o, 0) - from.sign * s.b);
  set(state.at(site.norm + ".running_var"), o, 1.0 - static_cast<double>(site.epsilon));
  Tensor* gamma = state.find(site.norm + ".gamma");
  if (gamma == nullptr) return;
  set(*gamma, o, from.sign);
  set(state.at(site.norm + ".beta"), o, from.sign == 0 ? s.b : 0.0);
}

void set_statistics(const NetState& state, const std::string& norm, const NormInput& input) {
  for (std::size_t o = 0; o < input.mean.size(); ++o) {
    set(state.at(norm + ".running_mean"), o, input.mean[o]);
    set(state.at(norm + ".running_var"), o, input.variance[o]);
  }
}

void keep_function(const TflSite& site, const NetState& state, const NormInput& input) {
  const Tensor &mean = state.at(site.norm + ".running_mean"),
               &variance = state.at(site.norm + ".running_var");
  Tensor &gamma = state.at(site.norm + ".gamma"), &beta = state.at(site.norm + ".beta");
  const auto deviation = [&](double v) { return std::sqrt(v + static_cast<double>(site.epsilon)); };
  for (std::size_t o = 0; o < site.out_channels(); ++o) {
    const double scale = value_of(&gamma, o, 1) / deviation(value_of(&variance, o, 1));
    set(beta, o, value_of(&beta, o, 0) + scale * (input.mean[o] - value_of(&mean, o, 0)));
    set(gamma, o, scale * deviation(input.variance[o]));
  }
  set_statistics(state, site.norm, input);
}

}  // namespace bitplane::train
