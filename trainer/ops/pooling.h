// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "bitplane/model_spec.h"
#include "trainer/autograd/variable.h"

namespace bitplane::train {

/// Whether an average divides by pixels of the padding too. Included: by those of the window that lie inside
/// the padded picture (a window that Caffe's ceil mode lets reach beyond it is cut there). Excluded: by those
/// inside the picture.
enum class PoolPadding : std::uint8_t { Excluded, Included };

struct PoolOptions {
  std::size_t kernel = 2, stride = 2, pad = 0;
  engine::PoolRounding rounding = engine::PoolRounding::Floor;
  PoolPadding padding = PoolPadding::Excluded;  ///< of averages only
};

/// Output length of one dimension: floor, or Caffe's ceil, where the last window must start inside the
/// picture or its left padding.
[[nodiscard]] std::size_t pooled_size(std::size_t size, const PoolOptions& options);

/// Maximum over the part of each window inside the picture; the gradient goes to the first maximum,
/// row-major.
Variable max_pool(const Context& ctx, const Variable& x, const PoolOptions& options);
/// Chain of additions over the part of each window inside the picture, row-major, divided by the number of
/// pixels that options.padding says.
Variable average_pool(const Context& ctx, const Variable& x, const PoolOptions& options);
/// [n][h][w][c] -> [n][c]: (chain of additions, pixels in row-major order) / float(pixels).
Variable global_average_pool(const Context& ctx, const Variable& x);

}  // namespace bitplane::train
