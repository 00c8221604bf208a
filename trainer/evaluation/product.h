// SPDX-License-Identifier: Apache-2.0
//
// Layers that multiply: their geometry, and the float weights that they multiply with.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "bitplane/kernels/conv_shape.h"
#include "bitplane/kernels/f32.h"
#include "bitplane/model_spec.h"

namespace bitplane::train {

[[nodiscard]] std::size_t elements(const engine::NodeShape& shape) noexcept;

/// A convolution or a linear layer, without what differs between the two.
struct Product {
  kernels::ConvShape shape;
  const engine::Weights& weights;
  const std::vector<float>& bias;
};
[[nodiscard]] Product product_of(const engine::Conv2d& conv, const engine::NodeShape& in);
[[nodiscard]] Product product_of(const engine::Linear& linear, const engine::NodeShape& in);

/// The weights that a float layer multiplies with: [out][K].
[[nodiscard]] std::vector<float> values_of(const engine::CodebookWeights& weights);

/// Per group, the float weights [out][K] as panels. Throws std::invalid_argument for another number of them.
[[nodiscard]] std::vector<kernels::F32Panels> pack_float_weights(const kernels::ConvShape& shape,
                                                                 std::span<const float> weights);

}  // namespace bitplane::train
