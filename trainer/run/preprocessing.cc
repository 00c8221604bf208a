// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/preprocessing.h"

#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>

#include "trainer/math/random.h"

namespace bitplane::train {

Preprocessing measure_preprocessing(const engine::data::PictureSet& set) {
  if (set.count == 0) throw std::invalid_argument("a picture set without pictures");
  std::vector<std::uint64_t> sum(set.channels), squares(set.channels);
  for (std::size_t e = 0; e < set.pixels.size(); ++e) {
    const std::uint64_t value = set.pixels[e];
    sum[e % set.channels] += value;
    squares[e % set.channels] += value * value;
  }
  const auto n = static_cast<double>(set.pixels.size() / set.channels);
  Preprocessing preprocessing;
  for (std::size_t c = 0; c < set.channels; ++c) {
    const double mean = static_cast<double>(sum[c]) / n;
    const double variance = static_cast<double>(squares[c]) / n - mean * mean;
    preprocessing.mean.push_back(static_cast<float>(mean / 255.0));
    preprocessing.std.push_back(variance > 1e-6 ? static_cast<float>(std::sqrt(variance) / 255.0) : 1.0F);
  }
  return preprocessing;
}

Batch make_batch(const engine::data::PictureSet& set, const Preprocessing& preprocessing,
                 std::span<const std::uint32_t> indices) {
  std::vector<float> scale, shift;
  for (std::size_t c = 0; c < set.channels; ++c) {
    const auto deviation = static_cast<double>(preprocessing.std[c]);
    scale.push_back(static_cast<float>(1.0 / (255.0 * deviation)));
    shift.push_back(static_cast<float>(-static_cast<double>(preprocessing.mean[c]) / deviation));
  }
  Batch batch{.pictures = Tensor(Shape{indices.size(), set.height, set.width, set.channels}), .labels = {}};
  float* x = batch.pictures.mutable_data();
  for (const std::uint32_t index : indices) {
    std::size_t channel = 0;
    for (const std::uint8_t byte : set.picture(index)) {
      *x++ = std::fma(static_cast<float>(byte), scale[channel], shift[channel]);
      channel = channel + 1 == set.channels ? 0 : channel + 1;
    }
    batch.labels.push_back(set.labels[index]);
  }
  return batch;
}

std::vector<std::uint32_t> epoch_order(std::uint64_t seed, std::uint64_t epoch, std::size_t count) {
  std::vector<std::uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0U);
  Random random(seed, stream_of("order of epoch " + std::to_string(epoch)));
  shuffle(order, random);
  return order;
}

}  // namespace bitplane::train
