// SPDX-License-Identifier: Apache-2.0
#include "trainer/nets/resnet_imagenet.h"

#include <array>
#include <string>

#include "trainer/nets/resnet_blocks.h"

namespace bitplane::train {
namespace {

constexpr std::array<std::size_t, 4> kStages{64, 128, 256, 512};

enum class Wiring : std::uint8_t { PreActivation, PreActivationZeros, PostActivation };

struct Depth {
  UnitKind unit;
  std::array<std::size_t, 4> blocks;
  Wiring wiring;
};

constexpr std::array<std::size_t, 4> kBlocks18{2, 2, 2, 2}, kBlocks34{3, 4, 6, 3};

BlockPlan plan_block(const Depth& depth, std::size_t stage, std::size_t number) {
  BlockPlan block{.unit = depth.unit, .stride = stage > 0 && number == 1 ? 2U : 1U};
  if (depth.wiring == Wiring::PostActivation) {
    block.end = BranchEnd::NormFromZero;
    return block;
  }
  block.end = BranchEnd::Norm;
  block.start = BranchStart::NormReluQuantize;
  if (depth.wiring == Wiring::PreActivationZeros) {
    block.shortcut = ShortcutKind::ZerosBehind;
    if (number == 1) block.start = BranchStart::Quantize;
  } else if (number == 1) {
    block.start = stage == 0 ? BranchStart::Quantize : BranchStart::Nothing;
  }
  return block;
}

/// What follows a block; `last_of_stage`, `last` say where it stands.
struct BlockEnd {
  std::string number;
  bool last_of_stage, last;
};

void end_block(const NetParts& parts, Sequential& stage, const Depth& depth, std::size_t channels,
               const BlockEnd& at) {
  if (depth.wiring == Wiring::PostActivation) {
    stage.emplace<Relu>("relu" + at.number);
    if (!at.last) parts.quantize(stage, "quant" + at.number);
    return;
  }
  if (!at.last_of_stage) return;
  parts.norm_relu(stage, "", channels);
  if (!at.last && depth.wiring == Wiring::PreActivation) parts.quantize(stage, "quant");
}

std::unique_ptr<Module> build_resnet(const NetOptions& options, const Depth& depth) {
  const NetParts parts(options);
  auto net = std::make_unique<Sequential>();
  std::size_t channels = parts.scaled(kStages[0]);
  parts.conv(*net, "conv1",
             {.in_channels = options.input.channels,
              .out_channels = channels,
              .kernel = 7,
              .stride = 2,
              .pad = 3,
              .start = he_fan_out(49, channels)},
             Place::First);
  parts.norm_relu(*net, "1", channels);
  net->emplace<MaxPool>("pool1", PoolOptions{.kernel = 3, .stride = 2, .pad = 1});
  if (depth.wiring == Wiring::PostActivation) parts.quantize(*net, "quant1");
  for (std::size_t s = 0; s < kStages.size(); ++s) {
    auto& stage = net->emplace<Sequential>("stage" + std::to_string(s + 1));
    for (std::size_t b = 1; b <= depth.blocks[s]; ++b) {
      BlockPlan block = plan_block(depth, s, b);
      block.in = channels;
      block.channels = parts.scaled(kStages[s]);
      const std::string number = std::to_string(b);
      stage.add("block" + number, make_block(parts, block));
      channels = block.out();
      const bool last_of_stage = b == depth.blocks[s];
      end_block(parts, stage, depth, channels,
                {number, last_of_stage, last_of_stage && s + 1 == kStages.size()});
    }
  }
  net->emplace<GlobalAveragePool>("gap");
  parts.linear(*net, "fc", {.in_features = channels, .out_features = options.classes}, Place::Last);
  return net;
}

}  // namespace

std::unique_ptr<Module> build_resnet_18(const NetOptions& options) {
  return build_resnet(options, {UnitKind::Basic, kBlocks18, Wiring::PreActivation});
}
std::unique_ptr<Module> build_resnet_34(const NetOptions& options) {
  return build_resnet(options, {UnitKind::Basic, kBlocks34, Wiring::PreActivation});
}
std::unique_ptr<Module> build_resnet_50(const NetOptions& options) {
  return build_resnet(options, {UnitKind::Bottleneck, kBlocks34, Wiring::PreActivationZeros});
}
std::unique_ptr<Module> build_resnet_18_post(const NetOptions& options) {
  return build_resnet(options, {UnitKind::Basic, kBlocks18, Wiring::PostActivation});
}
std::unique_ptr<Module> build_resnet_34_post(const NetOptions& options) {
  return build_resnet(options, {UnitKind::Basic, kBlocks34, Wiring::PostActivation});
}
std::unique_ptr<Module> build_resnet_50_post(const NetOptions& options) {
  return build_resnet(options, {UnitKind::Bottleneck, kBlocks34, Wiring::PostActivation});
}

}  // namespace bitplane::train
