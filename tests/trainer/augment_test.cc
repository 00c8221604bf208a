// SPDX-License-Identifier: Apache-2.0
//
// Augmentation against straightforward loops over padded pictures.
#include "trainer/data/augment.h"

#include <gtest/gtest.h>

#include <set>
#include <tuple>
#include <utility>
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
Bytes augmented_by_definition(const TestPicture& picture, const Augmentation& augmentation, Random random) {
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
          ASSERT_EQ(out, augmented_by_definition(picture, augmentation, random))
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

/// Colours step by step over whole pictures of floats.
Bytes colour_reference(const Bytes& pixels, std::size_t channels, const Augmentation& augmentation,
                       Random random) {
  const auto factor = [&](double strength) {
    if (strength <= 0) return 1.0F;
    const double lowest = strength > 1 ? 0.0 : 1.0 - strength;
    return static_cast<float>(lowest + (1.0 + strength - lowest) * random.uniform());
  };
  const auto clamped = [](float v) { return v < 0 ? 0.0F : v > 255 ? 255.0F : v; };
  const float brightness = factor(augmentation.brightness);
  const float contrast = factor(augmentation.contrast);
  const float saturation = factor(augmentation.saturation);
  std::vector<float> values;
  for (const std::uint8_t byte : pixels) values.push_back(clamped(static_cast<float>(byte) * brightness));
  const auto grey = [&](std::size_t p) {
    const float* v = values.data() + p * channels;
    return channels == 1 ? v[0] : 0.299F * v[0] + 0.587F * v[1] + 0.114F * v[2];
  };
  const std::size_t count = values.size() / channels;
  double sum = 0;
  for (std::size_t p = 0; p < count; ++p) sum += static_cast<double>(grey(p));
  const auto mean = static_cast<float>(sum / static_cast<double>(count));
  if (augmentation.contrast > 0)
    for (float& v : values) v = clamped(mean + contrast * (v - mean));
  for (std::size_t p = 0; augmentation.saturation > 0 && p < count; ++p) {
    const float g = grey(p);
    for (std::size_t c = 0; c < channels; ++c) {
      float& v = values[p * channels + c];
      v = clamped(g + saturation * (v - g));
    }
  }
  Bytes out;
  for (const float v : values) out.push_back(static_cast<std::uint8_t>(v + 0.5F));
  return out;
}

TEST(Augment, ColoursEqualTheReference) {
  for (const std::size_t channels : {1, 3}) {
    const TestPicture picture = random_picture(9, 7, channels);
    for (const Augmentation& augmentation :
         {Augmentation{.brightness = 0.4}, Augmentation{.contrast = 0.7}, Augmentation{.saturation = 1.5},
          Augmentation{.brightness = 2, .contrast = 0.4, .saturation = 0.4}}) {
      for (std::uint32_t index = 0; index < 20; ++index) {
        const Random random = augmentation_random(5, 3, index);
        Bytes out(picture.pixels.size(), 0xa5);
        augment(augmentation, picture.view(), random, out);
        EXPECT_EQ(out, colour_reference(picture.pixels, channels, augmentation, random)) << index;
        if (channels == 3) {
          EXPECT_NE(out, picture.pixels);
        }
      }
    }
  }
}

TEST(Augment, AreasLieInThePictureAndHaveTheWantedShares) {
  for (const auto& [height, width] : {std::pair{375.0, 500.0}, {1.0, 1.0}, {10.0, 900.0}, {3.0, 2.0}}) {
    Random random(4, 4);
    for (int i = 0; i < 500; ++i) {
      const engine::data::Window window = draw_area(height, width, 0.08, random);
      ASSERT_GE(window.top, 0);
      ASSERT_GE(window.left, 0);
      ASSERT_GE(window.height, 1);
      ASSERT_GE(window.width, 1);
      ASSERT_LE(window.top + window.height, height);
      ASSERT_LE(window.left + window.width, width);
      if (height == 375.0) {
        ASSERT_GE(window.height * window.width, 0.079 * height * width);
        ASSERT_GE(window.width / window.height, 0.74);
        ASSERT_LE(window.width / window.height, 1.35);
      }
    }
  }
}

/// A linear ramp stays one: the part of it that was cut out is known from its corners.
TEST(Augment, AnAreaIsCutOutAndScaled) {
  engine::data::Picture ramp{200, 250, 1, {}};
  for (std::size_t y = 0; y < 200; ++y)
    for (std::size_t x = 0; x < 250; ++x) ramp.pixels.push_back(static_cast<std::uint8_t>(x));
  for (std::uint32_t index = 0; index < 20; ++index) {
    Random random = augmentation_random(1, 2, index);
    Bytes out(40 * 40);
    augment_any_size({.crop_area = 0.1}, ramp, random, {40, 40}, out);
    const engine::data::Window window = draw_area(200, 250, 0.1, random);
    for (std::size_t x = 2; x < 38; ++x) {
      const double expected = window.left + (static_cast<double>(x) + 0.5) * window.width / 40 - 0.5;
      EXPECT_NEAR(out[20 * 40 + x], expected, 1.0);
    }
  }
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
