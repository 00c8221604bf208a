// SPDX-License-Identifier: Apache-2.0
//
// Changes of training pictures, from bytes to bytes: what a net sees in training is still a byte picture, as
// in inference. What happens to a picture is a function of (seed, epoch, index of the picture) alone, so
// neither the order of the work nor the number of threads changes a bit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "trainer/math/random.h"

namespace bitplane::train {

/// Everything off: pictures stay as they are.
struct Augmentation {
  std::size_t crop_padding = 0;  ///< black pixels on each side; a window of the old size is cut out anywhere
  double flip = 0;               ///< probability of a left-right flip
  friend bool operator==(const Augmentation&, const Augmentation&) = default;
};

/// The random numbers of one picture in one epoch.
[[nodiscard]] Random augmentation_random(std::uint64_t seed, std::uint64_t epoch,
                                         std::uint32_t index) noexcept;

struct PictureView {
  std::size_t height = 0, width = 0, channels = 0;
  std::span<const std::uint8_t> pixels;  ///< [height][width][channels]
};

/// Writes the changed picture, of the same size, to `out`. The numbers are drawn in this order: row and
/// column of the crop (where there is a padding), flip (where it may happen).
void augment(const Augmentation& augmentation, const PictureView& picture, Random random,
             std::span<std::uint8_t> out) noexcept;

}  // namespace bitplane::train
