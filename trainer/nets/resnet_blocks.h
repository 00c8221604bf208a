// SPDX-License-Identifier: Apache-2.0
//
// The blocks of all ResNets. A unit is what a block convolves with; a block is a unit with a shortcut.
//
//   basic unit        C*(3,o,s)  C*(3,o,1)
//   bottleneck unit   C*(1,o)  C*(3,o,s)  C*(1,4o)
//
// between its convolutions: BN R Q. No convolution has a bias; all start by he_fan_out().
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "trainer/nets/parts.h"

namespace bitplane::train {

enum class UnitKind : std::uint8_t { Basic, Bottleneck };
/// What stands in front of the first convolution of a branch.
enum class BranchStart : std::uint8_t { Nothing, Quantize, NormReluQuantize };
/// What ends a branch: the sum is of convolutions, or of batch norms.
enum class BranchEnd : std::uint8_t { Conv, Norm, NormFromZero };
/// Where the block's shape changes; everywhere else the shortcut is the identity.
enum class ShortcutKind : std::uint8_t {
  ZerosAround,  ///< average pool, new channels as zeros, half in front, half behind
  ZerosBehind,  ///< average pool, new channels as zeros behind
  Subsampled,   ///< every second pixel, new channels as zeros behind
  Projection,   ///< C*(1,o,s) BN
};

struct BlockPlan {
  UnitKind unit = UnitKind::Basic;
  std::size_t in = 1, channels = 1, stride = 1;  ///< channels: of the unit's 3 x 3 convolutions
  BranchStart start = BranchStart::Nothing;
  BranchEnd end = BranchEnd::Conv;
  ShortcutKind shortcut = ShortcutKind::Projection;

  [[nodiscard]] std::size_t out() const { return unit == UnitKind::Basic ? channels : 4 * channels; }
};

/// Layers bn1 relu1 quant1 conv1 bn2 relu2 quant2 conv2 (bn3 ...), shortcut(.conv, .bn), add.
[[nodiscard]] std::unique_ptr<Module> make_block(const NetParts& parts, const BlockPlan& block);

}  // namespace bitplane::train
