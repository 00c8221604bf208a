// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "bitplane/model_spec.h"
#include "trainer/autograd/variable.h"

namespace bitplane::train {

struct PoolOptions {
  std::size_t kernel = 2, stride = 2, pad = 0;
  engine::PoolRounding rounding = engine::PoolRounding::Floor;
};

/// Output length of one dimension: floor, or Caffe's ceil, where the last window must start inside the
/// picture or its left padding.
[[nodiscard]] std::size_t pooled_size(std::size_t size, const PoolOptions& options);

/// Maximum over the part of each window inside the picture; the gradient goes to the first maximum,
/// row-major.
Variable max_pool(const Context& ctx, const Variable& x, const PoolOptions& options);
/// Mean over the part of each window inside the picture.
Variable average_pool(const Context& ctx, const Variable& x, const PoolOptions& options);
/// [n][h][w][c] -> [n][c]: (chain of additions, pixels in row-major order) / float(pixels).
Variable global_average_pool(const Context& ctx, const Variable& x);

}  // namespace bitplane::train
