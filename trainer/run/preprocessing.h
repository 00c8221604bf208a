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
#include "trainer/tensor/tensor.h"

namespace bitplane::train {

struct Preprocessing {
  std::vector<float> mean, std;  ///< [channels], of bytes / 255
  friend bool operator==(const Preprocessing&, const Preprocessing&) = default;
};

/// Mean and standard deviation of every channel, from exact integer sums. A constant channel gets std 1.
/// Throws std::invalid_argument for an empty set.
[[nodiscard]] Preprocessing measure_preprocessing(const engine::data::PictureSet& set);

struct Batch {
  Tensor pictures;                    ///< [n][height][width][channels]
  std::vector<std::uint16_t> labels;  ///< [n]
};
[[nodiscard]] Batch make_batch(const engine::data::PictureSet& set, const Preprocessing& preprocessing,
                               std::span<const std::uint32_t> indices);

/// The order in which epoch `epoch` sees the pictures: a function of the two numbers alone.
[[nodiscard]] std::vector<std::uint32_t> epoch_order(std::uint64_t seed, std::uint64_t epoch,
                                                     std::size_t count);

}  // namespace bitplane::train
