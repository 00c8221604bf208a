// SPDX-License-Identifier: Apache-2.0
//
// Augmentation against straightforward loops over padded pictures.
#include "trainer/data/augment.h"

#include <gtest/gtest.h>

#include <set>
#include <tuple>
#include <vector>

namespace bitplane::train {
namespace {

using Bytes = std::vector<std::uint8_t>;

struct TestPicture {
  std::size_t height, width, channels;
  Bytes pixels;
  [[nodiscard]] PictureView view() const { return {height, width, channels, pixels}; }
  [[nodiscard]] std::uint8_t at(std::size_t y, std::size_t x, std::size_t c) const {
    return pixels[(y * width + x) * channels + c];
  }
};

TestPicture random_picture(std::size_t height, std::size_t width, std::size_t channels) {
  TestPicture picture{height, width, channels, Bytes(height * width * channels)};
  Random random(31, height * 100 + width);
  for (std::uint8_t& byte : picture.pixels) byte = static_cast<std::uint8_t>(1 + random.below(255));
  return picture;
}

/// Pads, cuts, mirrors: pixel by pixel.
Bytes reference(const TestPicture& picture, const Augmentation& augmentation, Random random) {
  const std::size_t pad = augmentation.crop_padding;
  TestPicture padded{picture.height + 2 * pad, picture.width + 2 * pad, picture.channels, {}};
  padded.pixels.assign(padded.height * padded.width * padded.channels, 0);
  for (std::size_t y = 0; y < picture.height; ++y)
    for (std::size_t x = 0; x < picture.width; ++x)
      for (std::size_t c = 0; c < picture.channels; ++c)
        padded.pixels[((y + pad) * padded.width + x + pad) * picture.channels + c] = picture.at(y, x, c);
  std::size_t top = 0, left = 0;
  if (pad > 0) {
    top = random.below(static_cast<std::uint32_t>(2 * pad + 1));
    left = random.below(static_cast<std::uint32_t>(2 * pad + 1));
  }
  const bool mirrored = augmentation.flip > 0 && random.uniform() < augmentation.flip;
  Bytes out;
  for (std::size_t y = 0; y < picture.height; ++y)
    for (std::size_t x = 0; x < picture.width; ++x)
      for (std::size_t c = 0; c < picture.channels; ++c)
        out.push_back(padded.at(top + y, left + (mirrored ? picture.width - 1 - x : x), c));
  return out;
}

TEST(Augment, EqualsTheReference) {
  for (const auto& [height, width, channels] : {std::tuple<std::size_t, std::size_t, std::size_t>{32, 32, 3},
                                                {1, 1, 1},
                                                {5, 7, 1},
                                                {3, 2, 3},
                                                {8, 1, 3}}) {
    const TestPicture picture = random_picture(height, width, channels);
    for (const std::size_t padding : {0, 1, 4, 9}) {
      for (const double flip : {0.0, 0.5, 1.0}) {
        const Augmentation augmentation{.crop_padding = padding, .flip = flip};
        for (std::uint32_t index = 0; index < 40; ++index) {
          const Random random = augmentation_random(5, 3, index);
          Bytes out(picture.pixels.size(), 0xa5);
          augment(augmentation, picture.view(), random, out);
          ASSERT_EQ(out, reference(picture, augmentation, random))
              << height << "x" << width << "x" << channels << " pad " << padding << " flip " << flip
              << " index " << index;
        }
      }
    }
  }
}

TEST(Augment, IsAFunctionOfSeedEpochAndIndex) {
  const auto first = [](std::uint64_t seed, std::uint64_t epoch, std::uint32_t index) {
    return augmentation_random(seed, epoch, index).next_u64();
  };
  EXPECT_EQ(first(1, 2, 3), first(1, 2, 3));
  std::set<std::uint64_t> seen;
  for (std::uint64_t seed = 0; seed < 5; ++seed)
    for (std::uint64_t epoch = 0; epoch < 5; ++epoch)
      for (std::uint32_t index = 0; index < 5; ++index) seen.insert(first(seed, epoch, index));
  EXPECT_EQ(seen.size(), 125U);
}

/// Every position of the crop and both sides of the flip occur about as often as they should.
TEST(Augment, DrawsEvenly) {
  TestPicture picture{3, 3, 1, Bytes(9)};
  for (std::size_t i = 0; i < 9; ++i) picture.pixels[i] = static_cast<std::uint8_t>(i + 1);
  constexpr int kDraws = 18000;
  std::vector<int> centers(10);
  int flipped = 0;
  for (std::uint32_t index = 0; index < kDraws; ++index) {
    Bytes out(9);
    augment({.crop_padding = 1, .flip = 0}, picture.view(), augmentation_random(1, 0, index), out);
    ++centers[out[4]];
    augment({.crop_padding = 0, .flip = 0.25}, picture.view(), augmentation_random(1, 0, index), out);
    flipped += out[0] == 3 ? 1 : 0;
  }
  EXPECT_EQ(centers[0], 0);
  for (std::size_t i = 1; i <= 9; ++i) EXPECT_NEAR(centers[i], kDraws / 9, 200) << i;
  EXPECT_NEAR(flipped, kDraws / 4, 250);
}

}  // namespace
}  // namespace bitplane::train
