// SPDX-License-Identifier: Apache-2.0
//
// The float values that exported weights stand for.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "trainer/quantizers/quantizer.h"

namespace bitplane::train {

/// Of one code in one channel, as docs/BITPLANES.md, item 17, has it for activations.
[[nodiscard]] float level_of(const WeightExport& weights, std::size_t channel, unsigned code);

/// [out][k]
[[nodiscard]] std::vector<float> dequantize(const WeightExport& weights);
[[nodiscard]] std::vector<float> dequantize(const CodebookExport& weights);

/// The codes that occur, in ascending order, as a codebook: of the layer where all channels have the same
/// levels. nullopt when they are more than 256.
[[nodiscard]] std::optional<CodebookExport> codebook_of(const WeightExport& weights);

}  // namespace bitplane::train
