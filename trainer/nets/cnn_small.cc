// SPDX-License-Identifier: Apache-2.0
#include "trainer/nets/cnn_small.h"

#include <array>
#include <string>

#include "trainer/nets/parts.h"

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
  const NetParts parts(options);
  auto net = std::make_unique<Sequential>();
  std::size_t channels = options.input.channels;
  for (std::size_t b = 0; b < kBlocks.size(); ++b) {
    const std::string number = std::to_string(b + 1);
    channels = parts.conv(*net, "conv" + number,
                          {.in_channels = channels, .out_channels = parts.scaled(kBlocks[b].channels)},
                          b == 0 ? Place::First : Place::Inner);
    if (kBlocks[b].pool == Pool::Yes) net->emplace<MaxPool>("pool" + number, PoolOptions{});
    parts.norm_relu(*net, number, channels);
    if (b + 1 < kBlocks.size()) parts.quantize(*net, "quant" + number);
  }
  net->emplace<GlobalAveragePool>("gap");
  parts.linear(*net, "fc", {.in_features = channels, .out_features = options.classes}, Place::Last);
  return net;
}

}  // namespace bitplane::train
