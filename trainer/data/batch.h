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

enum class PictureUse : std::uint8_t { Training, Inference };

/// Makes the net's input of single pictures. Any number of threads may share one, each with its scratch.
class PictureMaker {
 public:
  /// For inference. `set` stays the caller's and must outlive the maker.
  PictureMaker(const engine::data::PictureSet& set, const Preprocessing& preprocessing);
  /// For training. Throws std::invalid_argument for an augmentation that the set cannot have.
  PictureMaker(const engine::data::PictureSet& set, const Preprocessing& preprocessing,
               const Augmentation& augmentation, std::uint64_t seed);

  using Scratch = std::vector<std::uint8_t>;
  /// Picture `index` as epoch `epoch` sees it. out: [height][width][channels]. Throws cli::CommandError
  /// naming the file of a streamed set that cannot be read.
  void make(std::uint64_t epoch, std::uint32_t index, Scratch& scratch, float* out) const;
  [[nodiscard]] const engine::data::PictureSet& set() const noexcept { return *set_; }
  [[nodiscard]] Batch batch(std::uint64_t epoch, std::span<const std::uint32_t> indices) const;

 private:
  const engine::data::PictureSet* set_;
  Normalizer normalizer_;
  PictureUse use_;
  Augmentation augmentation_;
  std::uint64_t seed_ = 0;
};

/// The pictures as they are, preprocessed.
[[nodiscard]] Batch make_batch(const engine::data::PictureSet& set, const Preprocessing& preprocessing,
                               std::span<const std::uint32_t> indices);

}  // namespace bitplane::train
