// SPDX-License-Identifier: Apache-2.0
#include "trainer/data/batch.h"

#include <numeric>
#include <stdexcept>
#include <string>

#include "engine/cli/shared/errors.h"
#include "engine/data/picture.h"

namespace bitplane::train {

std::vector<std::uint32_t> epoch_order(std::uint64_t seed, std::uint64_t epoch, std::size_t count) {
  std::vector<std::uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0U);
  Random random(seed, stream_of("order of epoch " + std::to_string(epoch)));
  shuffle(order, random);
  return order;
}

PictureMaker::PictureMaker(const engine::data::PictureSet& set, const Preprocessing& preprocessing)
    : set_(&set), normalizer_(preprocessing), use_(PictureUse::Inference) {}

PictureMaker::PictureMaker(const engine::data::PictureSet& set, const Preprocessing& preprocessing,
                           const Augmentation& augmentation, std::uint64_t seed)
    : set_(&set),
      normalizer_(preprocessing),
      use_(PictureUse::Training),
      augmentation_(augmentation),
      seed_(seed) {
  if (set.streamed() && augmentation.crop_padding > 0) {
    throw std::invalid_argument(
        "crop_padding is for pictures of one size that are held in memory; streamed ones take crop_area, or "
        "neither");
  }
}

void PictureMaker::make(std::uint64_t epoch, std::uint32_t index, Scratch& scratch, float* out) const {
  using engine::data::read_picture;
  std::span<const std::uint8_t> pixels;
  if (use_ == PictureUse::Inference) {
    pixels = cli::take(engine::data::inference_picture(*set_, index, scratch));
  } else if (set_->streamed()) {
    const engine::data::Picture picture = cli::take(read_picture(set_->files[index], set_->channels));
    scratch.resize(set_->picture_size());
    augment_any_size(augmentation_, picture, augmentation_random(seed_, epoch, index),
                     {set_->height, set_->width}, scratch);
    pixels = scratch;
  } else if (augmentation_ != Augmentation{}) {
    pixels = set_->picture(index);
    scratch.resize(pixels.size());
    augment(augmentation_, {set_->height, set_->width, set_->channels, pixels},
            augmentation_random(seed_, epoch, index), scratch);
    pixels = scratch;
  } else {
    pixels = set_->picture(index);
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
  return PictureMaker(set, preprocessing).batch(0, indices);
}

}  // namespace bitplane::train
