// SPDX-License-Identifier: Apache-2.0
//
// The shortcut without parameters (He et al., option A): where a residual stage gets fewer pixels and more
// channels, the value that is carried around it is shrunk and its missing channels are zeros.
//
//   x [n][h][w][c] -> y [n][ceil(h / stride)][ceil(w / stride)][front + c + back]
//
// Those are the pixels of a 3 x 3 convolution with that stride and padding 1, for every size.
#pragma once

#include <cstddef>
#include <cstdint>

#include "trainer/autograd/variable.h"

namespace bitplane::train {

enum class ShortcutSampling : std::uint8_t {
  Average,    ///< of stride x stride pixels: chain of additions in row-major order / float(pixels inside)
  Subsample,  ///< the first pixel of each stride x stride window
};

struct ShortcutOptions {
  std::size_t stride = 2;
  std::size_t front = 0, back = 0;  ///< zero channels
  ShortcutSampling sampling = ShortcutSampling::Average;
};

Variable zero_channel_shortcut(const Context& ctx, const Variable& x, const ShortcutOptions& options);

}  // namespace bitplane::train
