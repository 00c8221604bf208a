// SPDX-License-Identifier: Apache-2.0
#include "trainer/data/batch.h"

#include <numeric>
#include <string>

namespace bitplane::train {

std::vector<std::uint32_t> epoch_order(std::uint64_t seed, std::uint64_t epoch, std::size_t count) {
  std::vector<std::uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0U);
  Random random(seed, stream_of("order of epoch " + std::to_string(epoch)));
  shuffle(order, random);
  return order;
}

PictureMaker::PictureMaker(const engine::data::PictureSet& set, const Preprocessing& preprocessing,
                           const Augmentation& augmentation, std::uint64_t seed)
    : set_(&set), normalizer_(preprocessing), augmentation_(augmentation), seed_(seed) {}

void PictureMaker::make(std::uint64_t epoch, std::uint32_t index, Scratch& scratch, float* out) const {
  std::span<const std::uint8_t> pixels = set_->picture(index);
  if (augmentation_ != Augmentation{}) {
    scratch.resize(pixels.size());
    augment(augmentation_, {set_->height, set_->width, set_->channels, pixels},
            augmentation_random(seed_, epoch, index), scratch);
    pixels = scratch;
  }
  normalizer_.apply(pixels, out);
}

Batch PictureMaker::batch(std::uint64_t epoch, std::span<const std::uint32_t> indices) const {
  Batch batch{.pictures = Tensor(Shape{indices.size(), set_->height, set_->width, set_->channels}),
              .labels = {}};
  Scratch scratch;
  float* out = batch.pictures.mutable_data();
  for (const std::uint32_t index : indices) {
    make(epoch, index, scratch, out);
    out += set_->picture_size();
    batch.labels.push_back(set_->labels[index]);
  }
  return batch;
}

Batch make_batch(const engine::data::PictureSet& set, const Preprocessing& preprocessing,
                 std::span<const std::uint32_t> indices) {
  return PictureMaker(set, preprocessing, {}, 0).batch(0, indices);
}

}  // namespace bitplane::train
