// SPDX-License-Identifier: Apache-2.0
#include "trainer/nets/resnet_cifar.h"

#include <array>
#include <cmath>
#include <string>
#include <utility>

#include "trainer/nets/parts.h"

namespace bitplane::train {
namespace {

constexpr std::array<std::size_t, 3> kStageChannels{16, 32, 64};
constexpr std::size_t kBlocksPerStage = 3;

Conv2dOptions conv3x3(std::size_t in, std::size_t out, std::size_t stride) {
  const auto deviation = static_cast<float>(std::sqrt(2.0 / (9.0 * static_cast<double>(out))));
  return {.in_channels = in,
          .out_channels = out,
          .kernel = 3,
          .stride = stride,
          .pad = 1,
          .start = {.deviation = deviation}};
}

enum class BlockStart : std::uint8_t { NormRelu, AsItIs };

struct BlockShape {
  std::size_t in, out, stride;
  BlockStart start;
};

std::unique_ptr<Module> make_block(const NetParts& parts, const BlockShape& block) {
  auto branch = std::make_unique<Sequential>();
  if (block.start == BlockStart::NormRelu) parts.norm_relu(*branch, "1", block.in);
  parts.quantize(*branch, "quant1");
  parts.conv(*branch, "conv1", conv3x3(block.in, block.out, block.stride), Place::Inner);
  parts.norm_relu_quantize(*branch, "2", block.out);
  parts.conv(*branch, "conv2", conv3x3(block.out, block.out, 1), Place::Inner);
  std::unique_ptr<Module> shortcut;
  if (block.stride != 1 || block.in != block.out) {
    const std::size_t missing = block.out - block.in;
    shortcut = std::make_unique<ZeroChannelShortcut>(
        ShortcutOptions{.stride = block.stride, .front = missing / 2, .back = missing - missing / 2});
  }
  return std::make_unique<Residual>(std::move(branch), std::move(shortcut));
}

}  // namespace

std::unique_ptr<Module> build_resnet_20(const NetOptions& options) {
  const NetParts parts(options);
  auto net = std::make_unique<Sequential>();
  std::size_t channels = parts.scaled(kStageChannels[0]);
  parts.conv(*net, "conv1", conv3x3(options.input.channels, channels, 1), Place::First);
  parts.norm_relu(*net, "1", channels);
  for (std::size_t s = 0; s < kStageChannels.size(); ++s) {
    auto& stage = net->emplace<Sequential>("stage" + std::to_string(s + 1));
    const std::size_t out = parts.scaled(kStageChannels[s]);
    for (std::size_t b = 0; b < kBlocksPerStage; ++b) {
      const bool very_first = s == 0 && b == 0;
      stage.add("block" + std::to_string(b + 1),
                make_block(parts, {.in = channels,
                                   .out = out,
                                   .stride = s > 0 && b == 0 ? 2U : 1U,
                                   .start = very_first ? BlockStart::AsItIs : BlockStart::NormRelu}));
      channels = out;
    }
  }
  parts.norm_relu(*net, "2", channels);
  net->emplace<GlobalAveragePool>("gap");
  parts.linear(*net, "fc", {.in_features = channels, .out_features = options.classes}, Place::Last);
  return net;
}

}  // namespace bitplane::train
