// SPDX-License-Identifier: Apache-2.0
//
// The steps of docs/BITPLANES.md that look at more than one value, written down literally: pooling, the
// parameter-free shortcut, normalization. Tensors are [height][width][channels].
#pragma once

#include <cstddef>
#include <span>

#include "bitplane/model_spec.h"

namespace bitplane::train {

struct WindowGeometry {
  std::size_t height = 0, width = 0, channels = 0, out_height = 0, out_width = 0;
};
[[nodiscard]] WindowGeometry make_window_geometry(const engine::MaxPool& pool, const engine::NodeShape& in);
[[nodiscard]] WindowGeometry make_window_geometry(const engine::AveragePool& pool,
                                                  const engine::NodeShape& in);

/// Item 5: the maximum over the part of each window inside the picture.
void apply_max_pool(const WindowGeometry& geometry, const engine::MaxPool& pool, std::span<const float> z,
                    std::span<float> out);
/// Item 9.
void apply_global_average(std::size_t channels, std::span<const float> x, std::span<float> y);
/// Item 12.
void apply_average_pool(const WindowGeometry& geometry, const engine::AveragePool& pool,
                        std::span<const float> x, std::span<float> y);
/// Item 13.
void apply_shortcut(const engine::ZeroChannelShortcut& op, const engine::NodeShape& in,
                    std::span<const float> x, std::span<float> y);
/// Item 14.
void apply_local_response(const engine::LocalResponseNorm& op, const engine::NodeShape& shape,
                          std::span<const float> x, std::span<float> y);
/// Item 15.
void apply_softmax(std::size_t channels, std::span<const float> x, std::span<float> y);

}  // namespace bitplane::train
