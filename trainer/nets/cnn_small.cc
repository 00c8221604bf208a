// SPDX-License-Identifier: Apache-2.0
#include "trainer/nets/cnn_small.h"

#include <array>
#include <string>
#include <utility>

#include "trainer/nn/layers.h"

namespace bitplane::train {
namespace {

enum class Pool : std::uint8_t { No, Yes };
struct Block {
  std::size_t channels;
  Pool pool;
};
constexpr std::array<Block, 5> kBlocks{
    {{16, Pool::No}, {32, Pool::Yes}, {64, Pool::Yes}, {64, Pool::No}, {128, Pool::No}}};

}  // namespace

std::unique_ptr<Module> build_cnn_small(const NetOptions& options) {
  auto net = std::make_unique<Sequential>();
  std::size_t channels = options.input.channels;
  for (std::size_t b = 0; b < kBlocks.size(); ++b) {
    const std::string number = std::to_string(b + 1);
    const Conv2dOptions conv{
        .in_channels = channels, .out_channels = kBlocks[b].channels, .kernel = 3, .pad = 1};
    std::unique_ptr<WeightQuantizer> quantizer;
    if (b > 0 && options.plan.weights) {
      quantizer = options.plan.weights({.out_channels = conv.out_channels,
                                        .filter_size = channels * conv.kernel * conv.kernel,
                                        .kernel_area = conv.kernel * conv.kernel});
    }
    channels = conv.out_channels;
    net->emplace<Conv2d>("conv" + number, conv, std::move(quantizer));
    if (kBlocks[b].pool == Pool::Yes)
      net->emplace<MaxPool>("pool" + number, PoolOptions{.kernel = 2, .stride = 2});
    net->emplace<BatchNorm>("bn" + number, BatchNormModuleOptions{.channels = channels});
    net->emplace<Relu>("relu" + number);
    if (b + 1 < kBlocks.size() && options.plan.activations) {
      net->emplace<Quantize>("quant" + number, options.plan.activations());
    }
  }
  net->emplace<GlobalAveragePool>("gap");
  net->emplace<Linear>("fc", LinearOptions{.in_features = channels, .out_features = options.classes});
  return net;
}

}  // namespace bitplane::train
