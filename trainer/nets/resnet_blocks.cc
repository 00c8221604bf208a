// SPDX-License-Identifier: Apache-2.0
#include "trainer/nets/resnet_blocks.h"

#include <string>
#include <utility>
#include <vector>

namespace bitplane::train {
namespace {

struct UnitConv {
  std::size_t kernel, out, stride;
};

std::vector<UnitConv> unit_convs(const BlockPlan& b) {
  if (b.unit == UnitKind::Basic) return {{3, b.channels, b.stride}, {3, b.channels, 1}};
  return {{1, b.channels, 1}, {3, b.channels, b.stride}, {1, 4 * b.channels, 1}};
}

std::unique_ptr<Module> make_shortcut(const NetParts& parts, const BlockPlan& b) {
  if (b.stride == 1 && b.in == b.out()) return nullptr;
  if (b.shortcut == ShortcutKind::Projection) {
    auto projection = std::make_unique<Sequential>();
    parts.conv(*projection, "conv",
               {.in_channels = b.in,
                .out_channels = b.out(),
                .kernel = 1,
                .stride = b.stride,
                .pad = 0,
                .start = he_fan_out(1, b.out())},
               Place::Inner);
    projection->emplace<BatchNorm>("bn", BatchNormModuleOptions{.channels = b.out()});
    return projection;
  }
  const std::size_t missing = b.out() - b.in;
  ShortcutOptions options{.stride = b.stride, .front = 0, .back = missing};
  if (b.shortcut == ShortcutKind::ZerosAround) {
    options.front = missing / 2;
    options.back = missing - missing / 2;
  }
  if (b.shortcut == ShortcutKind::Subsampled) options.sampling = ShortcutSampling::Subsample;
  return std::make_unique<ZeroChannelShortcut>(options);
}

}  // namespace

std::unique_ptr<Module> make_block(const NetParts& parts, const BlockPlan& block) {
  auto branch = std::make_unique<Sequential>();
  if (block.start == BranchStart::NormReluQuantize) parts.norm_relu(*branch, "1", block.in);
  if (block.start != BranchStart::Nothing) parts.quantize(*branch, "quant1");
  const std::vector<UnitConv> convs = unit_convs(block);
  std::size_t channels = block.in;
  for (std::size_t i = 0; i < convs.size(); ++i) {
    const UnitConv& conv = convs[i];
    if (i > 0) parts.norm_relu_quantize(*branch, std::to_string(i + 1), channels);
    channels = parts.conv(*branch, "conv" + std::to_string(i + 1),
                          {.in_channels = channels,
                           .out_channels = conv.out,
                           .kernel = conv.kernel,
                           .stride = conv.stride,
                           .pad = conv.kernel / 2,
                           .start = he_fan_out(conv.kernel * conv.kernel, conv.out)},
                          Place::Inner);
  }
  if (block.end != BranchEnd::Conv) {
    branch->emplace<BatchNorm>(
        "bn" + std::to_string(convs.size() + 1),
        BatchNormModuleOptions{.channels = channels,
                               .gamma = block.end == BranchEnd::NormFromZero ? 0.0F : 1.0F});
  }
  return std::make_unique<Residual>(std::move(branch), make_shortcut(parts, block));
}

}  // namespace bitplane::train
