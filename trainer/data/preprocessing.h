// SPDX-License-Identifier: Apache-2.0
//
// From bytes to the net's input, by the channel or by the pixel:
//   channel     x = fma(byte, 1 / (255 std_c), -mean_c / std_c), the arithmetic of docs/BITPLANES.md item 1
//   pixel-mean  x = (byte - mean picture) / divisor, as Caffe's CIFAR nets have it
// It travels with checkpoints; model files have the first kind only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "engine/data/dataset.h"

namespace bitplane::train {

struct Preprocessing {
  std::vector<float> mean, std;          ///< [channels], of bytes / 255; empty with a mean picture
  std::vector<float> mean_picture = {};  ///< [height][width][channels], of bytes; empty without
  float divisor = 1;                     ///< of bytes minus the mean picture
  friend bool operator==(const Preprocessing&, const Preprocessing&) = default;
};

/// The one list of ways.
struct NormalizationInfo {
  std::string_view name, description;
  enum class Kind : std::uint8_t { Channel, MeanPicture } kind;
  float divisor;
};
[[nodiscard]] std::span<const NormalizationInfo> normalizations() noexcept;

/// From exact integer sums. A constant channel gets std 1. A streamed set is not read for it: it gets the
/// usual values of ImageNet. Throws std::invalid_argument for an empty set, an unknown way, and a mean
/// picture of a streamed set.
[[nodiscard]] Preprocessing measure_preprocessing(const engine::data::PictureSet& set,
                                                  std::string_view normalization = "channel");

/// The same with means that are whole bytes / 255, so that one byte of each channel means 0 exactly.
[[nodiscard]] Preprocessing with_whole_byte_means(Preprocessing preprocessing);
/// What a byte of each channel is multiplied with: 1 / (255 std).
[[nodiscard]] std::vector<float> byte_scales(const Preprocessing& preprocessing);

/// A Preprocessing, ready to be applied: one table of 256 values per channel, or the mean picture.
class Normalizer {
 public:
  explicit Normalizer(const Preprocessing& preprocessing);
  /// pixels and out: [height][width][channels]
  void apply(std::span<const std::uint8_t> pixels, float* out) const noexcept;

 private:
  std::size_t channels_;
  std::vector<float> table_;  ///< [channel][byte]
  std::vector<float> mean_picture_;
  float scale_ = 1;
};

}  // namespace bitplane::train
