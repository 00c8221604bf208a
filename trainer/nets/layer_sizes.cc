// SPDX-License-Identifier: Apache-2.0
#include "trainer/nets/layer_sizes.h"

#include <algorithm>
#include <map>
#include <span>
#include <stdexcept>
#include <variant>

#include "trainer/nn/layers.h"

namespace bitplane::train {
namespace {

/// The outputs that a layer reads.
using Inputs = std::span<const PictureShape>;

void expect_channels(std::size_t got, std::size_t want) {
  if (got != want) {
    throw std::invalid_argument("it takes " + std::to_string(want) + " channels, its input has " +
                                std::to_string(got));
  }
}

std::size_t window_count(std::size_t size, std::size_t window, std::size_t stride, std::size_t pad) {
  if (size + 2 * pad < window) {
    throw std::invalid_argument("a window of " + std::to_string(window) + " does not fit " +
                                std::to_string(size) + " pixels");
  }
  return (size + 2 * pad - window) / stride + 1;
}

LayerSize size_of(const Conv2d* layer, Inputs in) {
  const Conv2dOptions& conv = layer->options();
  expect_channels(in[0].channels, conv.in_channels);
  const std::size_t window = conv.dilation * (conv.kernel - 1) + 1;
  const PictureShape out{.height = window_count(in[0].height, window, conv.stride, conv.pad),
                         .width = window_count(in[0].width, window, conv.stride, conv.pad),
                         .channels = conv.out_channels};
  const std::size_t weights = layer->weight().size();
  return {.out = out,
          .weights = weights,
          .parameters = weights + (layer->bias() == nullptr ? 0 : conv.out_channels),
          .macs = weights * out.height * out.width};
}

LayerSize size_of(const Linear* layer, Inputs in) {
  const LinearOptions& linear = layer->options();
  expect_channels(in[0].height * in[0].width * in[0].channels, linear.in_features);
  const std::size_t weights = layer->weight().size();
  return {.out = {.height = 1, .width = 1, .channels = linear.out_features},
          .weights = weights,
          .parameters = weights + (layer->bias() == nullptr ? 0 : linear.out_features),
          .macs = weights};
}

LayerSize size_of(const BatchNorm* layer, Inputs in) {
  expect_channels(in[0].channels, layer->options().channels);
  return {.out = in[0], .parameters = layer->gamma() == nullptr ? 0 : 2 * in[0].channels};
}

LayerSize pooled(const PoolOptions& pool, Inputs in) {
  (void)window_count(std::min(in[0].height, in[0].width), pool.kernel, pool.stride, pool.pad);
  return {.out = {.height = pooled_size(in[0].height, pool),
                  .width = pooled_size(in[0].width, pool),
                  .channels = in[0].channels}};
}
LayerSize size_of(const MaxPool* layer, Inputs in) {
  return pooled(layer->options(), in);
}
LayerSize size_of(const AveragePool* layer, Inputs in) {
  return pooled(layer->options(), in);
}
LayerSize size_of(const GlobalAveragePool* /*layer*/, Inputs in) {
  return {.out = {.height = 1, .width = 1, .channels = in[0].channels}};
}
LayerSize size_of(const Flatten* /*layer*/, Inputs in) {
  return {.out = {.height = 1, .width = 1, .channels = in[0].height * in[0].width * in[0].channels}};
}
LayerSize size_of(const Relu* /*layer*/, Inputs in) {
  return {.out = in[0]};
}
LayerSize size_of(const Quantize* /*layer*/, Inputs in) {
  return {.out = in[0]};
}
LayerSize size_of(const Dropout* /*layer*/, Inputs in) {
  return {.out = in[0]};
}
LayerSize size_of(const LocalResponseNorm* /*layer*/, Inputs in) {
  return {.out = in[0]};
}
LayerSize size_of(const ZeroChannelShortcut* layer, Inputs in) {
  const ShortcutOptions& o = layer->options();
  return {.out = {.height = (in[0].height + o.stride - 1) / o.stride,
                  .width = (in[0].width + o.stride - 1) / o.stride,
                  .channels = o.front + in[0].channels + o.back}};
}
LayerSize size_of(const Add* /*layer*/, Inputs in) {
  if (in[1] != in[0]) {
    throw std::invalid_argument("it adds " + to_string(in[0]) + " and " + to_string(in[1]) +
                                ": both must have the same shape");
  }
  return {.out = in[0]};
}
LayerSize size_of(const Concat* /*layer*/, Inputs in) {
  PictureShape out = in[0];
  for (const PictureShape& part : in.subspan(1)) {
    if (part.height != out.height || part.width != out.width) {
      throw std::invalid_argument("it joins the channels of " + to_string(in[0]) + " and " + to_string(part) +
                                  ": both must have the same height and width");
    }
    out.channels += part.channels;
  }
  return {.out = out};
}

}  // namespace

std::vector<LayerSize> layer_sizes(const LayerGraph& graph, const PictureShape& input) {
  std::map<std::string, PictureShape> shapes{{LayerGraph::kInput, input}};
  std::vector<LayerSize> sizes;
  for (const LayerNode& node : graph.nodes) {
    try {
      std::vector<PictureShape> in;
      for (const std::string& from : node.inputs) in.push_back(shapes.at(from));
      sizes.push_back(std::visit([&](const auto* layer) { return size_of(layer, Inputs(in)); }, node.layer));
    } catch (const std::exception& error) {
      throw std::invalid_argument("layer '" + node.name + "': " + error.what());
    }
    sizes.back().name = node.name;
    shapes.insert_or_assign(node.name, sizes.back().out);
  }
  return sizes;
}

NetCounts count_graph(const LayerGraph& graph, const PictureShape& input) {
  const std::vector<LayerSize> sizes = layer_sizes(graph, input);
  NetCounts counts;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    counts.parameters += sizes[i].parameters;
    counts.macs += sizes[i].macs;
    if (!std::holds_alternative<const Conv2d*>(graph.nodes[i].layer)) continue;
    counts.conv_weights += sizes[i].weights;
    counts.conv_macs += sizes[i].macs;
  }
  return counts;
}

NetCounts count_net(const NetInfo& net) {
  const QuantizationPlan none;
  const auto module = net.build({.input = net.input, .classes = net.classes, .plan = none});
  return count_graph(layer_graph(*module), net.input);
}

}  // namespace bitplane::train
