// SPDX-License-Identifier: Apache-2.0
#include "trainer/nets/layer_sizes.h"

#include <map>
#include <stdexcept>
#include <variant>

#include "trainer/nn/layers.h"

namespace bitplane::train {
namespace {

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

LayerSize size_of(const Conv2d* layer, const PictureShape& in) {
  const Conv2dOptions& conv = layer->options();
  expect_channels(in.channels, conv.in_channels);
  const std::size_t window = conv.dilation * (conv.kernel - 1) + 1;
  const PictureShape out{.height = window_count(in.height, window, conv.stride, conv.pad),
                         .width = window_count(in.width, window, conv.stride, conv.pad),
                         .channels = conv.out_channels};
  const std::size_t weights = layer->weight().size();
  return {.out = out,
          .weights = weights,
          .parameters = weights + (layer->bias() == nullptr ? 0 : conv.out_channels),
          .macs = weights * out.height * out.width};
}

LayerSize size_of(const Linear* layer, const PictureShape& in) {
  const LinearOptions& linear = layer->options();
  expect_channels(in.height * in.width * in.channels, linear.in_features);
  const std::size_t weights = layer->weight().size();
  return {.out = {.height = 1, .width = 1, .channels = linear.out_features},
          .weights = weights,
          .parameters = weights + (layer->bias() == nullptr ? 0 : linear.out_features),
          .macs = weights};
}

LayerSize size_of(const BatchNorm* layer, const PictureShape& in) {
  expect_channels(in.channels, layer->options().channels);
  return {.out = in, .parameters = layer->gamma() == nullptr ? 0 : 2 * in.channels};
}

LayerSize pooled(const PoolOptions& pool, const PictureShape& in) {
  return {.out = {.height = pooled_size(in.height, pool),
                  .width = pooled_size(in.width, pool),
                  .channels = in.channels}};
}
LayerSize size_of(const MaxPool* layer, const PictureShape& in) {
  return pooled(layer->options(), in);
}
LayerSize size_of(const AveragePool* layer, const PictureShape& in) {
  return pooled(layer->options(), in);
}
LayerSize size_of(const GlobalAveragePool* /*layer*/, const PictureShape& in) {
  return {.out = {.height = 1, .width = 1, .channels = in.channels}};
}
LayerSize size_of(const Flatten* /*layer*/, const PictureShape& in) {
  return {.out = {.height = 1, .width = 1, .channels = in.height * in.width * in.channels}};
}
LayerSize size_of(const Relu* /*layer*/, const PictureShape& in) {
  return {.out = in};
}
LayerSize size_of(const Quantize* /*layer*/, const PictureShape& in) {
  return {.out = in};
}

}  // namespace

std::vector<LayerSize> layer_sizes(const LayerGraph& graph, const PictureShape& input) {
  std::map<std::string, PictureShape> shapes{{LayerGraph::kInput, input}};
  std::vector<LayerSize> sizes;
  for (const LayerNode& node : graph.nodes) {
    try {
      const PictureShape& in = shapes.at(node.inputs.at(0));
      sizes.push_back(std::visit([&](const auto* layer) { return size_of(layer, in); }, node.layer));
    } catch (const std::exception& error) {
      throw std::invalid_argument("layer '" + node.name + "': " + error.what());
    }
    sizes.back().name = node.name;
    shapes.insert_or_assign(node.name, sizes.back().out);
  }
  return sizes;
}

}  // namespace bitplane::train
