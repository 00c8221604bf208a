// SPDX-License-Identifier: Apache-2.0
#include "bitplane/kernels/epilogue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "kernels/reference/bit_conv_runner.h"
#include "kernels/reference/random.h"

namespace bitplane::kernels {
namespace {

using reference::Random;

/// A tensor z of `rows` rows and the parameters of an epilogue on it.
struct Input {
  std::size_t rows = 1, pixels = 1, channels = 1;
  std::vector<float> z{}, scale{}, shift{}, residual{};

  [[nodiscard]] std::size_t size() const { return rows * pixels * channels; }
  [[nodiscard]] float t(std::size_t at) const {
    return std::fma(z[at], scale[at % channels], shift[at % channels]);
  }
};

Input make_input(Random& random, std::size_t pixels, std::size_t channels) {
  Input input{.rows = random.between(1, 3), .pixels = pixels, .channels = channels};
  for (std::size_t at = 0; at < input.size(); ++at) {
    input.z.push_back(random.between(0, 9) == 0 ? 0.0F : random.real() * 3.0F);
    input.residual.push_back(random.real());
  }
  for (std::size_t c = 0; c < channels; ++c) {
    input.scale.push_back(random.between(0, 7) == 0 ? 0.0F : random.real());
    input.shift.push_back(random.between(0, 7) == 0 ? -0.0F : random.real());
  }
  return input;
}

void apply_rows(Isa isa, const Input& input, const Epilogue& epilogue) {
  const EpilogueKernels& kernels = select_epilogue(detect_cpu().limited_to(isa));
  ASSERT_EQ(kernels.isa, isa);
  for (std::size_t row = 0; row < input.rows; ++row) {
    // A copy of its own, so that a sanitizer sees reads beyond the row.
    const auto first = input.z.begin() + static_cast<std::ptrdiff_t>(row * input.pixels * input.channels);
    const std::vector<float> z(first, first + static_cast<std::ptrdiff_t>(input.pixels * input.channels));
    kernels.apply(epilogue, {.z = z.data(), .row = row, .pixels = input.pixels, .channels = input.channels});
  }
}

std::vector<std::uint32_t> bits_of(const std::vector<float>& values) {
  std::vector<std::uint32_t> bits;
  for (const float value : values) bits.push_back(std::bit_cast<std::uint32_t>(value));
  return bits;
}

TEST(Epilogue, FloatWithResidualAndRelu) {
  for (const std::size_t channels : {1, 2, 7, 8, 9, 10, 15, 16, 17, 31, 32, 33, 64, 67}) {
    SCOPED_TRACE("seed " + std::to_string(channels));
    Random random(channels);
    const Input input = make_input(random, random.between(1, 5), channels);
    for (const bool with_residual : {false, true}) {
      for (const Activation activation : {Activation::None, Activation::Relu}) {
        std::vector<float> expected;
        for (std::size_t at = 0; at < input.size(); ++at) {
          float t = input.t(at);
          if (with_residual) t = t + input.residual[at];
          expected.push_back(activation == Activation::None || t > 0.0F ? t : 0.0F);
        }
        for (const IsaInfo& isa : runnable_isas(Family::Epilogue)) {
          SCOPED_TRACE(isa.name);
          std::vector<float> out(input.size(), -777.0F);
          apply_rows(isa.isa, input,
                     {.kind = EpilogueKind::Float,
                      .affine = {input.scale.data(), input.shift.data()},
                      .activation = activation,
                      .residual = with_residual ? input.residual.data() : nullptr,
                      .out = out.data()});
          EXPECT_EQ(bits_of(out), bits_of(expected));  // -0 and +0 differ
        }
      }
    }
  }
}

/// Ascending thresholds, some equal, some hit exactly by some t, the first perhaps -inf; any code of any
/// rank.
struct Quantizer {
  std::vector<float> thresholds;
  std::vector<std::uint8_t> codes;

  [[nodiscard]] RankCodes ranks() const { return {thresholds.data(), thresholds.size(), codes.data()}; }
  [[nodiscard]] std::uint8_t rank(float t) const {
    return static_cast<std::uint8_t>(
        std::count_if(thresholds.begin(), thresholds.end(), [t](float threshold) { return t > threshold; }));
  }
};

Quantizer make_quantizer(Random& random, std::size_t count, std::size_t planes, const Input& input) {
  Quantizer quantizer;
  for (std::size_t l = 0; l < count; ++l) {
    const bool hit = random.between(0, 2) == 0;
    quantizer.thresholds.push_back(hit ? input.t(random.between(0, input.size() - 1)) : random.real() * 2.0F);
  }
  std::sort(quantizer.thresholds.begin(), quantizer.thresholds.end());
  if (count > 1 && random.coin()) quantizer.thresholds[1] = quantizer.thresholds[0];
  if (count > 0 && random.coin()) quantizer.thresholds[0] = -std::numeric_limits<float>::infinity();
  for (std::size_t l = 0; l <= count; ++l) {
    quantizer.codes.push_back(static_cast<std::uint8_t>(random.bits() & ((1U << planes) - 1U)));
  }
  return quantizer;
}

TEST(Epilogue, RanksForEveryNumberOfThresholds) {
  for (const std::size_t count : {0, 1, 2, 3, 7, 14, 15, 16, 17, 31, 63, 127, 128, 254, 255}) {
    for (const std::size_t channels : {1, 7, 8, 16, 17, 40}) {
      SCOPED_TRACE("seed " + std::to_string(count * 1000 + channels));
      Random random(count * 1000 + channels);
      const Input input = make_input(random, random.between(1, 4), channels);
      const Quantizer quantizer = make_quantizer(random, count, 8, input);
      std::vector<std::uint8_t> expected;
      for (std::size_t at = 0; at < input.size(); ++at) expected.push_back(quantizer.rank(input.t(at)));
      for (const IsaInfo& isa : runnable_isas(Family::Epilogue)) {
        SCOPED_TRACE(isa.name);
        std::vector<std::uint8_t> out(input.size(), 0xDD);
        apply_rows(isa.isa, input,
                   {.kind = EpilogueKind::Ranks,
                    .affine = {input.scale.data(), input.shift.data()},
                    .ranks = quantizer.ranks(),
                    .out_ranks = out.data()});
        EXPECT_EQ(out, expected);
      }
    }
  }
}

void expect_planes(Random& random, std::size_t count, const ActivationLayout& layout) {
  Input input = make_input(random, layout.width, layout.channels);
  input.rows = std::min(input.rows, layout.height);
  const Quantizer quantizer = make_quantizer(random, count, layout.planes, input);
  std::vector<std::uint8_t> codes(layout.height * layout.width * layout.channels, 0);
  for (std::size_t at = 0; at < input.size(); ++at) codes[at] = quantizer.codes[quantizer.rank(input.t(at))];
  AlignedArray<std::byte> expected(layout.picture_bytes());
  pack_codes(codes, 1, layout, expected.data());
  const std::size_t written = input.rows * layout.row_bytes();
  std::memset(expected.data() + written, 0xB7,
              expected.size() - written);  // rows not asked for stay as they are
  for (const IsaInfo& isa : runnable_isas(Family::Epilogue)) {
    SCOPED_TRACE(isa.name);
    AlignedArray<std::byte> out(layout.picture_bytes());
    std::memset(out.data(), 0xB7, out.size());
    apply_rows(isa.isa, input,
               {.kind = EpilogueKind::Planes,
                .affine = {input.scale.data(), input.shift.data()},
                .ranks = quantizer.ranks(),
                .out_planes = out.data(),
                .layout = layout});
    EXPECT_EQ(std::memcmp(out.data(), expected.data(), out.size()), 0);
  }
}

TEST(Epilogue, PlanesOfEveryBitWidth) {
  for (std::size_t planes = 1; planes <= kMaxActivationPlanes; ++planes) {
    for (const std::size_t count :
         {(std::size_t{1} << planes) - 1, std::size_t{1}, planes, std::size_t{15}, std::size_t{16}}) {
      for (const std::size_t channels : {1, 5, 16, 17, 32, 33, 64, 65, 130}) {
        SCOPED_TRACE("seed " + std::to_string(planes * 1000000 + count * 1000 + channels));
        Random random(planes * 1000000 + count * 1000 + channels);
        expect_planes(random, count,
                      {.height = 3, .width = random.between(1, 5), .channels = channels, .planes = planes});
      }
    }
  }
}

TEST(Epilogue, PlanesInGroups) {
  std::uint64_t seed = 40;
  for (const std::size_t groups : {2, 3, 19}) {
    for (const std::size_t per_group : {1, 2, 15, 16, 17, 20, 33, 64, 65}) {
      for (const std::size_t planes : {1, 2, 5}) {
        SCOPED_TRACE("seed " + std::to_string(++seed));
        Random random(seed);
        expect_planes(random, (std::size_t{1} << planes) - 1,
                      {.height = 3,
                       .width = random.between(1, 5),
                       .channels = groups * per_group,
                       .planes = planes,
                       .groups = groups});
      }
    }
  }
}

}  // namespace
}  // namespace bitplane::kernels
