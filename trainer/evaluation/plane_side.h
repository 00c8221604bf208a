// SPDX-License-Identifier: Apache-2.0
//
// One operand of a quantized product, as the evaluation sees it: what each plane counts, and its bits read as
// numbers (0, 1 or -1, +1), held as floats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bitplane/model_spec.h"

namespace bitplane::train {

struct PlaneSide {
  std::size_t planes = 0;
  /// Uniform: what plane i counts in units of the scale (2^i, the last of a two's complement negative).
  /// Learned: empty.
  std::vector<std::int64_t> multipliers;
  std::vector<float> basis;   ///< learned: [planes][channels], channels = 1 for activations; uniform: empty
  std::vector<double> scale;  ///< [1] or [channels]; 1 for a learned side
  std::vector<float> offset;  ///< empty, [1] or [channels]; of a uniform side in units of its scale

  [[nodiscard]] bool uniform() const noexcept { return !multipliers.empty(); }
  [[nodiscard]] bool has_offset() const noexcept { return !offset.empty(); }
  [[nodiscard]] double scale_of(std::size_t channel) const noexcept {
    return scale[scale.size() == 1 ? 0 : channel];
  }
};

/// Both throw std::invalid_argument, with the sizes, when a basis does not fit its planes.
[[nodiscard]] PlaneSide make_side(const engine::PlaneWeights& weights);
[[nodiscard]] PlaneSide make_side(const engine::Quantize& quantize);

/// What bit value `bit` of a plane stands for.
[[nodiscard]] constexpr float plane_value(engine::PlaneEncoding encoding, bool bit) noexcept {
  if (bit) return 1.0F;
  return encoding == engine::PlaneEncoding::Bipolar ? -1.0F : 0.0F;
}

/// The bits of plane `plane`, row `row`, read as numbers: [k], K-order.
[[nodiscard]] std::vector<float> read_plane_row(const engine::PlaneWeights& weights, std::size_t plane,
                                                std::size_t row);

}  // namespace bitplane::train
