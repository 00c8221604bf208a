// SPDX-License-Identifier: Apache-2.0
#include "trainer/nets/resnet_cifar.h"

#include <array>
#include <span>
#include <string>

#include "trainer/nets/resnet_blocks.h"

namespace bitplane::train {
namespace {

constexpr std::array<std::size_t, 3> kChannels20{16, 32, 64};
constexpr std::array<std::size_t, 4> kChannels18{64, 128, 256, 512};

std::size_t cifar_stem(const NetParts& parts, Sequential& net, std::size_t published) {
  const std::size_t channels = parts.scaled(published);
  parts.conv(net, "conv1",
             {.in_channels = parts.options().input.channels,
              .out_channels = channels,
              .start = he_fan_out(9, channels)},
             Place::First);
  parts.norm_relu(net, "1", channels);
  return channels;
}

void classify(const NetParts& parts, Sequential& net, std::size_t channels) {
  net.emplace<GlobalAveragePool>("gap");
  parts.linear(net, "fc", {.in_features = channels, .out_features = parts.options().classes}, Place::Last);
}

struct PostNet {
  std::span<const std::size_t> stages;
  std::size_t blocks;  ///< of a stage
  ShortcutKind shortcut;
};

std::unique_ptr<Module> build_post(const NetOptions& options, const PostNet& plan) {
  const NetParts parts(options);
  auto net = std::make_unique<Sequential>();
  std::size_t channels = cifar_stem(parts, *net, plan.stages[0]);
  parts.quantize(*net, "quant1");
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    auto& stage = net->emplace<Sequential>("stage" + std::to_string(s + 1));
    for (std::size_t b = 1; b <= plan.blocks; ++b) {
      const BlockPlan block{.in = channels,
                            .channels = parts.scaled(plan.stages[s]),
                            .stride = s > 0 && b == 1 ? 2U : 1U,
                            .end = BranchEnd::Norm,
                            .shortcut = plan.shortcut};
      const std::string number = std::to_string(b);
      stage.add("block" + number, make_block(parts, block));
      stage.emplace<Relu>("relu" + number);
      const bool last = s + 1 == plan.stages.size() && b == plan.blocks;
      if (!last) parts.quantize(stage, "quant" + number);
      channels = block.out();
    }
  }
  classify(parts, *net, channels);
  return net;
}

}  // namespace

std::unique_ptr<Module> build_resnet_20(const NetOptions& options) {
  constexpr std::size_t kBlocks = 3;
  const NetParts parts(options);
  auto net = std::make_unique<Sequential>();
  std::size_t channels = cifar_stem(parts, *net, kChannels20[0]);
  for (std::size_t s = 0; s < kChannels20.size(); ++s) {
    auto& stage = net->emplace<Sequential>("stage" + std::to_string(s + 1));
    for (std::size_t b = 1; b <= kBlocks; ++b) {
      const bool very_first = s == 0 && b == 1;
      const BlockPlan block{.in = channels,
                            .channels = parts.scaled(kChannels20[s]),
                            .stride = s > 0 && b == 1 ? 2U : 1U,
                            .start = very_first ? BranchStart::Quantize : BranchStart::NormReluQuantize,
                            .shortcut = ShortcutKind::ZerosAround};
      stage.add("block" + std::to_string(b), make_block(parts, block));
      channels = block.out();
    }
  }
  parts.norm_relu(*net, "2", channels);
  classify(parts, *net, channels);
  return net;
}

std::unique_ptr<Module> build_resnet_20_post(const NetOptions& options) {
  return build_post(options, {.stages = kChannels20, .blocks = 3, .shortcut = ShortcutKind::Subsampled});
}

std::unique_ptr<Module> build_resnet_18_cifar(const NetOptions& options) {
  return build_post(options, {.stages = kChannels18, .blocks = 2, .shortcut = ShortcutKind::Projection});
}

}  // namespace bitplane::train
