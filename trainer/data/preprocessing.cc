// SPDX-License-Identifier: Apache-2.0
#include "trainer/data/preprocessing.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <string>

namespace bitplane::train {
namespace {

constexpr std::size_t kByteValues = 256;
using Kind = NormalizationInfo::Kind;

constexpr std::array<NormalizationInfo, 3> kNormalizations{{
    {"channel", "minus the mean, divided by the standard deviation, of each channel", Kind::Channel, 1},
    {"pixel-mean", "minus the mean picture, 0..255 (cifar10_quick)", Kind::MeanPicture, 1},
    {"pixel-mean-128", "minus the mean picture, divided by 128", Kind::MeanPicture, 128},
}};

Preprocessing measure_channels(const engine::data::PictureSet& set) {
  std::vector<std::uint64_t> sum(set.channels), squares(set.channels);
  std::size_t channel = 0;
  for (const std::uint64_t value : set.pixels) {
    sum[channel] += value;
    squares[channel] += value * value;
    channel = channel + 1 == set.channels ? 0 : channel + 1;
  }
  const std::size_t values = set.pixels.size() / set.channels;  // of one channel
  const auto n = static_cast<double>(values);
  Preprocessing preprocessing;
  for (std::size_t c = 0; c < set.channels; ++c) {
    const double mean = static_cast<double>(sum[c]) / n;
    const double variance = static_cast<double>(squares[c]) / n - mean * mean;
    preprocessing.mean.push_back(static_cast<float>(mean / 255.0));
    preprocessing.std.push_back(variance > 1e-6 ? static_cast<float>(std::sqrt(variance) / 255.0) : 1.0F);
  }
  return preprocessing;
}

Preprocessing measure_mean_picture(const engine::data::PictureSet& set, float divisor) {
  std::vector<std::uint64_t> sum(set.picture_size());
  for (std::size_t i = 0; i < set.count; ++i) {
    const auto pixels = set.picture(i);
    for (std::size_t e = 0; e < sum.size(); ++e) sum[e] += pixels[e];
  }
  Preprocessing preprocessing;
  preprocessing.divisor = divisor;
  for (const std::uint64_t total : sum) {
    preprocessing.mean_picture.push_back(
        static_cast<float>(static_cast<double>(total) / static_cast<double>(set.count)));
  }
  return preprocessing;
}

}  // namespace

std::span<const NormalizationInfo> normalizations() noexcept {
  return kNormalizations;
}

Preprocessing measure_preprocessing(const engine::data::PictureSet& set, std::string_view normalization) {
  if (set.count == 0) throw std::invalid_argument("a picture set without pictures");
  const auto info = std::find_if(kNormalizations.begin(), kNormalizations.end(),
                                 [&](const NormalizationInfo& known) { return known.name == normalization; });
  if (info == kNormalizations.end())
    throw std::invalid_argument("no normalization '" + std::string(normalization) + "'");
  if (info->kind == Kind::MeanPicture) {
    if (set.streamed()) {
      throw std::invalid_argument("normalize " + std::string(normalization) +
                                  " wants a data set that is held in memory: use normalize channel");
    }
    return measure_mean_picture(set, info->divisor);
  }
  if (set.streamed()) return {.mean = {0.485F, 0.456F, 0.406F}, .std = {0.229F, 0.224F, 0.225F}};
  return measure_channels(set);
}

Preprocessing with_whole_byte_means(Preprocessing preprocessing) {
  for (float& mean : preprocessing.mean) {
    mean = static_cast<float>(std::floor(255.0 * static_cast<double>(mean) + 0.5) / 255.0);
  }
  return preprocessing;
}

std::vector<float> byte_scales(const Preprocessing& preprocessing) {
  std::vector<float> scales;
  for (const float deviation : preprocessing.std)
    scales.push_back(static_cast<float>(1.0 / (255.0 * static_cast<double>(deviation))));
  return scales;
}

Normalizer::Normalizer(const Preprocessing& preprocessing)
    : channels_(preprocessing.mean.size()),
      mean_picture_(preprocessing.mean_picture),
      scale_(1.0F / preprocessing.divisor) {
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
  if (!mean_picture_.empty()) {
    for (std::size_t i = 0; i < pixels.size(); ++i)
      out[i] = (static_cast<float>(pixels[i]) - mean_picture_[i]) * scale_;
    return;
  }
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
