// SPDX-License-Identifier: Apache-2.0
//
// Changes of training pictures, from bytes to bytes: what a net sees in training is still a byte picture, as
// in inference. What happens to a picture is a function of (seed, epoch, index of the picture) alone, so
// neither the order of the work nor the number of threads changes a bit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/data/picture.h"
#include "engine/data/resample.h"
#include "trainer/math/random.h"

namespace bitplane::train {

/// Everything off: pictures stay as they are.
struct Augmentation {
  std::size_t crop_padding = 0;  ///< black pixels on each side; a window of the old size is cut out anywhere
  /// Smallest share of the area that a random part has, of aspect ratio 3/4 to 4/3, which is scaled to the
  /// net's size (Szegedy et al. 2015); 0: none. Takes the place of the crop with padding.
  double crop_area = 0;
  double flip = 0;  ///< probability of a left-right flip
  /// Strength j of colour changes: a factor from [max(0, 1 - j), 1 + j] of the pixels; of their distance from
  /// the picture's mean grey; of their distance from their own grey.
  double brightness = 0, contrast = 0, saturation = 0;
  friend bool operator==(const Augmentation&, const Augmentation&) = default;
};

/// The random numbers of one picture in one epoch.
[[nodiscard]] Random augmentation_random(std::uint64_t seed, std::uint64_t epoch,
                                         std::uint32_t index) noexcept;

struct PictureSize {
  std::size_t height = 0, width = 0;
};

struct PictureView {
  std::size_t height = 0, width = 0, channels = 0;
  std::span<const std::uint8_t> pixels;  ///< [height][width][channels]
};

/// Writes the changed picture, of the same size, to `out`. The numbers are drawn in this order, each only
/// where it is used: the crop (with padding: row, column; of an area: draw_area), flip, brightness, contrast,
/// saturation.
void augment(const Augmentation& augmentation, const PictureView& picture, Random random,
             std::span<std::uint8_t> out);

/// The same from a picture of any size to height x width x channels. Without crop_area the part is one of the
/// wanted aspect ratio at a random place, as large as what inference cuts out.
void augment_any_size(const Augmentation& augmentation, const engine::data::Picture& picture, Random random,
                      const PictureSize& size, std::span<std::uint8_t> out);

/// A random part of a height x width picture: ten tries of an area (uniform in [min_area, 1]) and an aspect
/// ratio (log-uniform in [3/4, 4/3]), then the largest middle part with a ratio in that range.
[[nodiscard]] engine::data::Window draw_area(double height, double width, double min_area, Random& random);

}  // namespace bitplane::train
