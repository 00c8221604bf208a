// SPDX-License-Identifier: Apache-2.0
#include "trainer/data/augment.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "engine/data/class_folder.h"
#include "trainer/math/transcendental.h"

namespace bitplane::train {
namespace {

/// out[y][x] = picture[y + down][x + right], black outside.
struct Shift {
  std::ptrdiff_t down = 0, right = 0;
};

Shift draw_shift(std::size_t padding, Random& random) noexcept {
  if (padding == 0) return {};
  const auto positions = static_cast<std::uint32_t>(2 * padding + 1);
  const auto center = static_cast<std::ptrdiff_t>(padding);
  const auto down = static_cast<std::ptrdiff_t>(random.below(positions)) - center;
  const auto right = static_cast<std::ptrdiff_t>(random.below(positions)) - center;
  return {.down = down, .right = right};
}

void shift_picture(const PictureView& picture, const Shift& shift, std::uint8_t* out) noexcept {
  const auto height = static_cast<std::ptrdiff_t>(picture.height);
  const auto width = static_cast<std::ptrdiff_t>(picture.width);
  const auto channels = static_cast<std::ptrdiff_t>(picture.channels);
  // The columns of `out` that the picture covers.
  const std::ptrdiff_t first = std::clamp(-shift.right, std::ptrdiff_t{0}, width);
  const std::ptrdiff_t last = std::clamp(width - shift.right, first, width);
  for (std::ptrdiff_t y = 0; y < height; ++y) {
    std::uint8_t* row = out + y * width * channels;
    const std::ptrdiff_t from = y + shift.down;
    if (from < 0 || from >= height || first == last) {
      std::memset(row, 0, static_cast<std::size_t>(width * channels));
      continue;
    }
    const std::uint8_t* source = picture.pixels.data() + (from * width + first + shift.right) * channels;
    std::memset(row, 0, static_cast<std::size_t>(first * channels));
    std::memcpy(row + first * channels, source, static_cast<std::size_t>((last - first) * channels));
    std::memset(row + last * channels, 0, static_cast<std::size_t>((width - last) * channels));
  }
}

void flip_rows(std::size_t width, std::size_t channels, std::span<std::uint8_t> pixels) noexcept {
  for (std::size_t row = 0; row < pixels.size(); row += width * channels) {
    for (std::size_t left = 0, right = width - 1; left < right; ++left, --right) {
      std::swap_ranges(pixels.begin() + static_cast<std::ptrdiff_t>(row + left * channels),
                       pixels.begin() + static_cast<std::ptrdiff_t>(row + (left + 1) * channels),
                       pixels.begin() + static_cast<std::ptrdiff_t>(row + right * channels));
    }
  }
}

struct ColourChange {
  float brightness = 1, contrast = 1, saturation = 1;
  friend bool operator==(const ColourChange&, const ColourChange&) = default;
};

float draw_factor(double strength, Random& random) noexcept {
  if (strength <= 0) return 1;
  const double lowest = std::max(0.0, 1.0 - strength), highest = 1.0 + strength;
  return static_cast<float>(lowest + (highest - lowest) * random.uniform());
}

ColourChange draw_colour_change(const Augmentation& augmentation, Random& random) noexcept {
  ColourChange change;
  change.brightness = draw_factor(augmentation.brightness, random);
  change.contrast = draw_factor(augmentation.contrast, random);
  change.saturation = draw_factor(augmentation.saturation, random);
  return change;
}

float clamp_value(float value) noexcept {
  return std::clamp(value, 0.0F, 255.0F);
}

/// Luminance (ITU-R BT.601) of three values; of one, itself.
float grey_of(const float* values, std::size_t channels) noexcept {
  return channels == 3 ? 0.299F * values[0] + 0.587F * values[1] + 0.114F * values[2] : values[0];
}

void change_colours(const ColourChange& change, std::size_t channels,
                    std::span<std::uint8_t> pixels) noexcept {
  constexpr std::size_t kMaxChannels = 4;
  std::array<float, kMaxChannels> values{};
  const auto brighten = [&](std::size_t at) {
    for (std::size_t c = 0; c < channels; ++c)
      values[c] = clamp_value(static_cast<float>(pixels[at + c]) * change.brightness);
  };
  double sum = 0;
  for (std::size_t at = 0; change.contrast != 1 && at < pixels.size(); at += channels) {
    brighten(at);
    sum += static_cast<double>(grey_of(values.data(), channels));
  }
  const std::size_t count = pixels.size() / channels;
  const auto mean = static_cast<float>(sum / static_cast<double>(count));
  for (std::size_t at = 0; at < pixels.size(); at += channels) {
    brighten(at);
    if (change.contrast != 1) {
      for (std::size_t c = 0; c < channels; ++c)
        values[c] = clamp_value(mean + change.contrast * (values[c] - mean));
    }
    if (change.saturation != 1) {
      const float grey = grey_of(values.data(), channels);
      for (std::size_t c = 0; c < channels; ++c)
        values[c] = clamp_value(grey + change.saturation * (values[c] - grey));
    }
    for (std::size_t c = 0; c < channels; ++c) {
      const float rounded = values[c] + 0.5F;
      pixels[at + c] = static_cast<std::uint8_t>(rounded);
    }
  }
}

/// What follows the crop, in place.
void flip_and_colour(const Augmentation& augmentation, std::size_t width, std::size_t channels,
                     Random& random, std::span<std::uint8_t> pixels) noexcept {
  if (augmentation.flip > 0 && random.uniform() < augmentation.flip) flip_rows(width, channels, pixels);
  const ColourChange change = draw_colour_change(augmentation, random);
  if (change != ColourChange{}) change_colours(change, channels, pixels);
}

}  // namespace

Random augmentation_random(std::uint64_t seed, std::uint64_t epoch, std::uint32_t index) noexcept {
  // A key of its own keeps these streams apart from those of names, which take the seed as it is.
  static const std::uint64_t domain = stream_of("augmentation");
  return {seed ^ domain, epoch << 32 | index};
}

engine::data::Window draw_area(double height, double width, double min_area, Random& random) {
  constexpr int kTries = 10;
  constexpr double kLowest = 3.0 / 4.0, kHighest = 4.0 / 3.0;
  const double log_lowest = math::log(kLowest), log_highest = math::log(kHighest);
  for (int attempt = 0; attempt < kTries; ++attempt) {
    const double area = height * width * (min_area + (1.0 - min_area) * random.uniform());
    const double ratio = math::exp(log_lowest + (log_highest - log_lowest) * random.uniform());
    const double w = std::round(std::sqrt(area * ratio)), h = std::round(std::sqrt(area / ratio));
    if (w < 1 || h < 1 || w > width || h > height) continue;
    const auto rows = static_cast<std::uint32_t>(height - h), columns = static_cast<std::uint32_t>(width - w);
    const double top = random.below(rows + 1), left = random.below(columns + 1);
    return {.top = top, .left = left, .height = h, .width = w};
  }
  const double h = std::min(height, std::round(width / kLowest));
  const double w = std::min(width, std::round(height * kHighest));
  return {.top = (height - h) / 2, .left = (width - w) / 2, .height = h, .width = w};
}

void augment(const Augmentation& augmentation, const PictureView& picture, Random random,
             std::span<std::uint8_t> out) {
  if (augmentation.crop_area > 0) {
    const engine::data::Picture whole{
        picture.height, picture.width, picture.channels, {picture.pixels.begin(), picture.pixels.end()}};
    augment_any_size(augmentation, whole, random, {picture.height, picture.width}, out);
    return;
  }
  shift_picture(picture, draw_shift(augmentation.crop_padding, random), out.data());
  flip_and_colour(augmentation, picture.width, picture.channels, random, out);
}

void augment_any_size(const Augmentation& augmentation, const engine::data::Picture& picture, Random random,
                      const PictureSize& size, std::span<std::uint8_t> out) {
  const auto height = static_cast<double>(picture.height), width = static_cast<double>(picture.width);
  engine::data::Window window;
  if (augmentation.crop_area > 0) {
    window = draw_area(height, width, augmentation.crop_area, random);
  } else {
    window = engine::data::inference_window(picture, size.height, size.width);
    window.top = random.uniform() * (height - window.height);
    window.left = random.uniform() * (width - window.width);
  }
  const engine::data::Picture part = engine::data::resample(picture, window, size.height, size.width);
  std::copy(part.pixels.begin(), part.pixels.end(), out.begin());
  flip_and_colour(augmentation, size.width, picture.channels, random, out);
}

}  // namespace bitplane::train
