// SPDX-License-Identifier: Apache-2.0
#include "trainer/data/augment.h"

#include <algorithm>
#include <cstring>

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

}  // namespace

Random augmentation_random(std::uint64_t seed, std::uint64_t epoch, std::uint32_t index) noexcept {
  // A key of its own keeps these streams apart from those of names, which take the seed as it is.
  static const std::uint64_t domain = stream_of("augmentation");
  return {seed ^ domain, epoch << 32 | index};
}

void augment(const Augmentation& augmentation, const PictureView& picture, Random random,
             std::span<std::uint8_t> out) noexcept {
  shift_picture(picture, draw_shift(augmentation.crop_padding, random), out.data());
  if (augmentation.flip > 0 && random.uniform() < augmentation.flip)
    flip_rows(picture.width, picture.channels, out);
}

}  // namespace bitplane::train
