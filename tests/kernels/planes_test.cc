// SPDX-License-Identifier: Apache-2.0
#include "bitplane/kernels/planes.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "bitplane/kernels/aligned.h"
#include "bitplane/kernels/float_steps.h"
#include "kernels/reference/random.h"

namespace bitplane::kernels {
namespace {

std::vector<std::uint8_t> random_codes(reference::Random& random, std::size_t count, std::size_t planes) {
  std::vector<std::uint8_t> codes(count);
  for (std::uint8_t& code : codes) code = static_cast<std::uint8_t>(random.bits() & ((1U << planes) - 1U));
  return codes;
}

TEST(Planes, GranulesAre16Or32OrWholeWords) {
  const auto bits = [](std::size_t channels, std::size_t groups) {
    return ActivationLayout{.height = 1, .width = 1, .channels = channels, .groups = groups}.pixel_bits();
  };
  EXPECT_EQ(bits(1, 1), 16U);
  EXPECT_EQ(bits(16, 1), 16U);
  EXPECT_EQ(bits(17, 1), 32U);
  EXPECT_EQ(bits(32, 1), 32U);
  EXPECT_EQ(bits(33, 1), 64U);
  EXPECT_EQ(bits(64, 1), 64U);
  EXPECT_EQ(bits(65, 1), 128U);
  EXPECT_EQ(bits(64, 4), 16U);
}

/// Where bit (picture, y, x, channel, plane) lies, spelled out from the description of the layout.
std::size_t bit_address(const ActivationLayout& layout, std::size_t row, std::size_t x, std::size_t channel,
                        std::size_t plane) {
  const std::size_t per_group = layout.channels / layout.groups, group = channel / per_group;
  const std::size_t pixel = per_group <= 16 ? 16 : per_group <= 32 ? 32 : (per_group + 63) / 64 * 64;
  const std::size_t plane_bits = (layout.width * pixel + 63) / 64 * 64;
  return ((row * layout.groups + group) * layout.planes + plane) * plane_bits + x * pixel +
         channel % per_group;
}

TEST(Planes, EveryBitLiesWhereTheLayoutSaysAndAllOthersAreZero) {
  std::uint64_t seed = 0;
  for (const std::size_t per_group : {1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 257}) {
    for (const std::size_t groups : {1, 3}) {
      SCOPED_TRACE("seed " + std::to_string(++seed));
      reference::Random random(seed);
      const std::size_t batch = random.between(1, 3);
      const ActivationLayout layout{.height = random.between(1, 3),
                                    .width = random.between(1, 7),
                                    .channels = per_group * groups,
                                    .planes = random.between(1, 8),
                                    .groups = groups};
      const auto codes =
          random_codes(random, batch * layout.height * layout.width * layout.channels, layout.planes);
      AlignedArray<std::byte> packed(batch * layout.picture_bytes());
      std::memset(packed.data(), 0xC3, packed.size());
      pack_codes(codes, batch, layout, packed.data());

      std::vector<std::byte> expected(packed.size());
      for (std::size_t at = 0; at < codes.size(); ++at) {
        const std::size_t channel = at % layout.channels, pixel = at / layout.channels;
        for (std::size_t plane = 0; plane < layout.planes; ++plane) {
          const std::size_t bit =
              bit_address(layout, pixel / layout.width, pixel % layout.width, channel, plane);
          if (((codes[at] >> plane) & 1) != 0) expected[bit / 8] |= static_cast<std::byte>(1U << (bit % 8));
        }
      }
      EXPECT_EQ(std::memcmp(packed.data(), expected.data(), expected.size()), 0);

      std::vector<std::uint8_t> unpacked(codes.size(), 0xEE);
      unpack_codes({packed.data(), layout}, batch, unpacked);
      EXPECT_EQ(unpacked, codes);

      std::vector<float> levels, values(codes.size(), -7.0F);
      for (std::size_t code = 0; code < 256; ++code) levels.push_back(static_cast<float>(code) * 0.37F);
      const std::size_t rows = batch * layout.height, half = rows / 2;  // as two threads would
      dequantize_codes({packed.data(), layout}, levels.data(), {half, rows}, values.data());
      dequantize_codes({packed.data(), layout}, levels.data(), {0, half}, values.data());
      for (std::size_t i = 0; i < codes.size(); ++i) ASSERT_EQ(values[i], levels[codes[i]]) << i;
    }
  }
}

}  // namespace
}  // namespace bitplane::kernels
