// SPDX-License-Identifier: Apache-2.0
#include "trainer/data/preprocessing.h"

#include <cmath>
#include <stdexcept>

namespace bitplane::train {
namespace {

constexpr std::size_t kByteValues = 256;

}  // namespace

Preprocessing measure_preprocessing(const engine::data::PictureSet& set) {
  if (set.count == 0) throw std::invalid_argument("a picture set without pictures");
  std::vector<std::uint64_t> sum(set.channels), squares(set.channels);
  std::size_t channel = 0;
  for (const std::uint64_t value : set.pixels) {
    sum[channel] += value;
    squares[channel] += value * value;
    channel = channel + 1 == set.channels ? 0 : channel + 1;
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

Normalizer::Normalizer(const Preprocessing& preprocessing) : channels_(preprocessing.mean.size()) {
  table_.reserve(channels_ * kByteValues);
  for (std::size_t c = 0; c < channels_; ++c) {
    const auto deviation = static_cast<double>(preprocessing.std[c]);
    const auto scale = static_cast<float>(1.0 / (255.0 * deviation));
    const auto shift = static_cast<float>(-static_cast<double>(preprocessing.mean[c]) / deviation);
    for (std::size_t byte = 0; byte < kByteValues; ++byte) {
      table_.push_back(std::fma(static_cast<float>(byte), scale, shift));
    }
  }
}

void Normalizer::apply(std::span<const std::uint8_t> pixels, float* out) const noexcept {
  const float* table = table_.data();
  if (channels_ == 3) {  // colour: three look-ups without an inner loop
    for (std::size_t i = 0; i + 3 <= pixels.size(); i += 3) {
      out[i] = table[pixels[i]];
      out[i + 1] = table[kByteValues + pixels[i + 1]];
      out[i + 2] = table[2 * kByteValues + pixels[i + 2]];
    }
    return;
  }
  for (std::size_t i = 0; i < pixels.size(); i += channels_) {
    for (std::size_t c = 0; c < channels_; ++c) out[i + c] = table[c * kByteValues + pixels[i + c]];
  }
}

}  // namespace bitplane::train
