// SPDX-License-Identifier: Apache-2.0
//
// From a picture set to what a step takes: order, augmentation, preprocessing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/data/dataset.h"
#include "trainer/data/augment.h"
#include "trainer/data/preprocessing.h"
#include "trainer/tensor/tensor.h"

namespace bitplane::train {

struct Batch {
  Tensor pictures;                    ///< [n][height][width][channels]
  std::vector<std::uint16_t> labels;  ///< [n]
};

/// The order in which epoch `epoch` sees the pictures: a function of the two numbers alone.
[[nodiscard]] std::vector<std::uint32_t> epoch_order(std::uint64_t seed, std::uint64_t epoch,
                                                     std::size_t count);

/// Makes the net's input of single pictures. Any number of threads may share one, each with its scratch.
class PictureMaker {
 public:
  /// `set` stays the caller's and must outlive the maker.
  PictureMaker(const engine::data::PictureSet& set, const Preprocessing& preprocessing,
               const Augmentation& augmentation, std::uint64_t seed);

  using Scratch = std::vector<std::uint8_t>;
  /// Picture `index` as epoch `epoch` sees it. out: [height][width][channels].
  void make(std::uint64_t epoch, std::uint32_t index, Scratch& scratch, float* out) const;
  [[nodiscard]] Batch batch(std::uint64_t epoch, std::span<const std::uint32_t> indices) const;

 private:
  const engine::data::PictureSet* set_;
  Normalizer normalizer_;
  Augmentation augmentation_;
  std::uint64_t seed_;
};

/// The pictures as they are, preprocessed.
[[nodiscard]] Batch make_batch(const engine::data::PictureSet& set, const Preprocessing& preprocessing,
                               std::span<const std::uint32_t> indices);

}  // namespace bitplane::train
