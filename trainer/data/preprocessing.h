// SPDX-License-Identifier: Apache-2.0
//
// From bytes to the net's input: x = fma(byte, 1 / (255 std_c), -mean_c / std_c), the arithmetic of
// docs/BITPLANES.md item 1. It travels with checkpoints and model files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/data/dataset.h"

namespace bitplane::train {

struct Preprocessing {
  std::vector<float> mean, std;  ///< [channels], of bytes / 255
  friend bool operator==(const Preprocessing&, const Preprocessing&) = default;
};

/// Mean and standard deviation of every channel, from exact integer sums. A constant channel gets std 1.
/// Throws std::invalid_argument for an empty set.
[[nodiscard]] Preprocessing measure_preprocessing(const engine::data::PictureSet& set);

/// A Preprocessing, ready to be applied: one table of 256 values per channel.
class Normalizer {
 public:
  explicit Normalizer(const Preprocessing& preprocessing);
  /// pixels and out: [pixels][channels]
  void apply(std::span<const std::uint8_t> pixels, float* out) const noexcept;

 private:
  std::size_t channels_;
  std::vector<float> table_;  ///< [channel][byte]
};

}  // namespace bitplane::train
