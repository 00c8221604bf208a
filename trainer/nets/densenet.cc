// SPDX-License-Identifier: Apache-2.0
#include "trainer/nets/densenet.h"

#include <array>
#include <string>

#include "trainer/nets/parts.h"

namespace bitplane::train {
namespace {

constexpr std::array<std::size_t, 4> kLayers{6, 12, 24, 16};
constexpr std::size_t kGrowth = 32, kBottleneck = 128, kStem = 64;

/// One layer; returns the channels behind it.
std::size_t add_dense_layer(const NetParts& parts, Sequential& block, const std::string& name,
                            std::size_t channels) {
  auto& ways = block.emplace<Branches>(name);
  Sequential& made = ways.emplace("new");
  const std::size_t reduced =
      parts.conv(made, "conv1",
                 {.in_channels = channels, .out_channels = parts.scaled(kBottleneck), .kernel = 1, .pad = 0},
                 Place::Inner);
  parts.norm_relu_quantize(made, "1", reduced);
  const std::size_t growth = parts.conv(
      made, "conv2", {.in_channels = reduced, .out_channels = parts.scaled(kGrowth)}, Place::Inner);
  parts.norm_relu_quantize(made, "2", growth);
  ways.emplace("input");
  return growth + channels;
}

}  // namespace

std::unique_ptr<Module> build_densenet_121(const NetOptions& options) {
  const NetParts parts(options);
  auto net = std::make_unique<Sequential>();
  std::size_t channels = parts.conv(*net, "conv1",
                                    {.in_channels = options.input.channels,
                                     .out_channels = parts.scaled(kStem),
                                     .kernel = 7,
                                     .stride = 2,
                                     .pad = 3},
                                    Place::First);
  parts.norm_relu(*net, "1", channels);
  net->emplace<MaxPool>("pool1", PoolOptions{.kernel = 3, .stride = 2, .pad = 1});
  for (std::size_t b = 0; b < kLayers.size(); ++b) {
    const std::string number = std::to_string(b + 1);
    auto& block = net->emplace<Sequential>("block" + number);
    parts.quantize(block, "quant");
    for (std::size_t layer = 1; layer <= kLayers[b]; ++layer)
      channels = add_dense_layer(parts, block, "layer" + std::to_string(layer), channels);
    if (b + 1 == kLayers.size()) break;
    auto& transition = net->emplace<Sequential>("transition" + number);
    channels = parts.conv(transition, "conv",
                          {.in_channels = channels, .out_channels = channels / 2, .kernel = 1, .pad = 0},
                          Place::Inner);
    transition.emplace<AveragePool>("pool", PoolOptions{});
  }
  parts.norm_relu(*net, "2", channels);
  net->emplace<GlobalAveragePool>("gap");
  parts.linear(*net, "fc", {.in_features = channels, .out_features = options.classes}, Place::Last);
  return net;
}

}  // namespace bitplane::train
