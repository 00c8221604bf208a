// SPDX-License-Identifier: Apache-2.0
//
// A model as it would be if it had been trained otherwise: to time what that would bring, not to predict
// with. Shapes and graph stay; values are whatever takes as long.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "bitplane/model_spec.h"

namespace bitplane::cli {

/// All layers in float32, the quantizers ReLUs.
[[nodiscard]] engine::ModelSpec float_twin(const engine::ModelSpec& spec);
/// Uniform codes of the same bits; nothing when all are uniform already.
[[nodiscard]] std::optional<engine::ModelSpec> uniform_twin(const engine::ModelSpec& spec);
/// Layers of float weights with 8 bits on both sides; nothing when there are none.
[[nodiscard]] std::optional<engine::ModelSpec> eight_bit_ends(const engine::ModelSpec& spec);

/// Name of the quantizer that eight_bit_ends() puts in front of a layer.
[[nodiscard]] std::string eight_bit_input(const std::string& layer);

/// Channels that the packed pixels of so many take room and time for (kernels' planes.h).
[[nodiscard]] std::size_t granule_of(std::size_t channels) noexcept;
/// Of the kernels that convolve planes.
[[nodiscard]] std::vector<std::string> family_names();

}  // namespace bitplane::cli
