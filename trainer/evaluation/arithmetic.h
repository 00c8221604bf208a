// SPDX-License-Identifier: Apache-2.0
//
// The element-wise steps of docs/BITPLANES.md, written down literally. Tensors are [pixels][channels].
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bitplane/model_spec.h"

namespace bitplane::train {

/// Item 6, one pair per channel: t = fma(z, g, h).
struct ChannelAffine {
  std::vector<float> g, h;
};
/// `scale` and `bias` of the layer in front: [channels]; bias empty: 0.
[[nodiscard]] ChannelAffine fold_batch_norm(const engine::BatchNorm& bn, std::span<const double> scale,
                                            std::span<const float> bias);
[[nodiscard]] ChannelAffine fold_scale(std::span<const double> scale, std::span<const float> bias);
void apply_affine(const ChannelAffine& affine, std::span<const float> z, std::span<float> t);

/// Item 7.
void apply_relu(std::span<const float> x, std::span<float> y);

/// Item 8. planes: [planes][elements], each bit read as the encoding says.
void apply_quantize(const engine::Quantize& quantize, std::span<const float> t, std::span<std::uint8_t> codes,
                    std::span<float> planes);

/// Item 17: the value of each code, [2^bits].
[[nodiscard]] std::vector<float> levels_of_codes(const engine::Quantize& quantize);

}  // namespace bitplane::train
