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
#include "kernels/reference/guarded.h"
#include "kernels/reference/random.h"

namespace bitplane::kernels {
namespace {

using reference::Random;

/// A tensor z of `rows` rows and the parameters of an epilogue on it.
struct Input {
  std::size_t rows = 1, pixels = 1, channels = 1;
  std::vector<float> z{}, scale{}, shift{}, residual{}, after_scale{}, after_shift{};
  bool adds_residual = false, goes_on = false;

  [[nodiscard]] std::size_t size() const { return rows * pixels * channels; }
  [[nodiscard]] float t(std::size_t at) const {
    const float t = std::fma(z[at], scale[at % channels], shift[at % channels]);
    return adds_residual ? t + residual[at] : t;
  }
  /// What ranks compare.
  [[nodiscard]] float u(std::size_t at) const {
    return goes_on ? std::fma(t(at), after_scale[at % channels], after_shift[at % channels]) : t(at);
  }
  [[nodiscard]] ChannelAffine after() const {
    return goes_on ? ChannelAffine{after_scale.data(), after_shift.data()} : ChannelAffine{};
  }
  [[nodiscard]] ChannelAffine affine() const { return {scale.data(), shift.data()}; }
  [[nodiscard]] const float* residual_or_null() const { return adds_residual ? residual.data() : nullptr; }
  [[nodiscard]] std::vector<float> activated(Activation activation,
                                             float (Input::*value)(std::size_t) const) const {
    std::vector<float> out;
    for (std::size_t at = 0; at < size(); ++at) {
      const float v = (this->*value)(at);
      out.push_back(activation == Activation::None || v > 0.0F ? v : 0.0F);
    }
    return out;
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
    input.after_scale.push_back(random.between(0, 7) == 0 ? 0.0F : random.real());
    input.after_shift.push_back(random.between(0, 7) == 0 ? -0.0F : random.real());
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

TEST(Epilogue, FloatWithResidualSecondAffineAndRelu) {
  for (const std::size_t channels : {1, 2, 7, 8, 9, 10, 15, 16, 17, 31, 32, 33, 64, 67}) {
    SCOPED_TRACE("seed " + std::to_string(channels));
    Random random(channels);
    Input input = make_input(random, random.between(1, 5), channels);
    for (const unsigned what : {0U, 1U, 2U, 3U}) {
      input.adds_residual = (what & 1U) != 0;
      input.goes_on = (what & 2U) != 0;
      for (const Activation activation : {Activation::None, Activation::Relu}) {
        const std::vector<float> expected = input.activated(activation, &Input::u);
        for (const IsaInfo& isa : runnable_isas(Family::Epilogue)) {
          SCOPED_TRACE(isa.name);
          std::vector<float> out(input.size(), -777.0F);
          apply_rows(isa.isa, input,
                     {.kind = EpilogueKind::Float,
                      .affine = input.affine(),
                      .activation = activation,
                      .residual = input.residual_or_null(),
                      .after = input.after(),
                      .out = out.data()});
          EXPECT_EQ(bits_of(out), bits_of(expected));  // -0 and +0 differ
        }
      }
    }
  }
}

/// Ascending thresholds, some equal, some hit exactly by some t, the first perhaps -inf; any code of any
/// rank.
struct RankedCodes {
  std::vector<float> thresholds;
  std::vector<std::uint8_t> codes;

  [[nodiscard]] RankCodes ranks() const { return {thresholds.data(), thresholds.size(), codes.data()}; }
  [[nodiscard]] std::uint8_t rank(float t) const {
    return static_cast<std::uint8_t>(
        std::count_if(thresholds.begin(), thresholds.end(), [t](float threshold) { return t > threshold; }));
  }
};

RankedCodes make_quantizer(Random& random, std::size_t count, std::size_t planes, const Input& input) {
  RankedCodes quantizer;
  for (std::size_t l = 0; l < count; ++l) {
    const bool hit = random.between(0, 2) == 0;
    quantizer.thresholds.push_back(hit ? input.u(random.between(0, input.size() - 1)) : random.real() * 2.0F);
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
      Input input = make_input(random, random.between(1, 4), channels);
      input.adds_residual = random.coin();
      input.goes_on = random.coin();
      const RankedCodes quantizer = make_quantizer(random, count, 8, input);
      std::vector<std::uint8_t> expected;
      for (std::size_t at = 0; at < input.size(); ++at) expected.push_back(quantizer.rank(input.u(at)));
      for (const IsaInfo& isa : runnable_isas(Family::Epilogue)) {
        SCOPED_TRACE(isa.name);
        std::vector<std::uint8_t> out(input.size(), 0xDD);
        apply_rows(isa.isa, input,
                   {.kind = EpilogueKind::Ranks,
                    .affine = input.affine(),
                    .residual = input.residual_or_null(),
                    .after = input.after(),
                    .ranks = quantizer.ranks(),
                    .out_ranks = out.data()});
        EXPECT_EQ(out, expected);
      }
    }
  }
}

/// Planes of the first `rows` rows of a picture; the others stay as they are.
class PlanesOf {
 public:
  PlanesOf(const ActivationLayout& layout, std::size_t rows, std::vector<std::uint8_t> codes)
      : layout_(layout), expected_(layout.picture_bytes()), out_(layout.picture_bytes()) {
    codes.resize(layout.height * layout.width * layout.channels, 0);
    pack_codes(codes, 1, layout, expected_.data());
    const std::size_t written = rows * layout.row_bytes();
    std::memset(expected_.data() + written, 0xB7, expected_.size() - written);
    std::memset(out_.data(), 0xB7, out_.size());
  }
  [[nodiscard]] std::byte* out() { return out_.data(); }
  [[nodiscard]] bool as_expected() const {
    return std::memcmp(out_.data(), expected_.data(), out_.size()) == 0;
  }

 private:
  ActivationLayout layout_;
  AlignedArray<std::byte> expected_, out_;
};

void expect_planes(Random& random, std::size_t count, const ActivationLayout& layout) {
  Input input = make_input(random, layout.width, layout.channels);
  input.rows = std::min(input.rows, layout.height);
  input.adds_residual = random.coin();
  input.goes_on = random.coin();
  const RankedCodes quantizer = make_quantizer(random, count, layout.planes, input);
  std::vector<std::uint8_t> codes;
  for (std::size_t at = 0; at < input.size(); ++at)
    codes.push_back(quantizer.codes[quantizer.rank(input.u(at))]);
  const bool wants_floats = random.coin();
  const Activation activation = random.coin() ? Activation::Relu : Activation::None;
  const std::vector<float> garbage(input.size(), -777.0F);
  const std::vector<float> floats = wants_floats ? input.activated(activation, &Input::t) : garbage;
  for (const IsaInfo& isa : runnable_isas(Family::Epilogue)) {
    SCOPED_TRACE(isa.name);
    PlanesOf planes(layout, input.rows, codes);
    std::vector<float> out = garbage;
    apply_rows(isa.isa, input,
               {.kind = EpilogueKind::Planes,
                .affine = input.affine(),
                .activation = activation,
                .residual = input.residual_or_null(),
                .after = input.after(),
                .out = wants_floats ? out.data() : nullptr,
                .ranks = quantizer.ranks(),
                .out_planes = planes.out(),
                .layout = layout});
    EXPECT_TRUE(planes.as_expected());
    EXPECT_EQ(bits_of(out), bits_of(floats));
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
                      {.height = 3, .width = random.between(1, 9), .channels = channels, .planes = planes});
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

/// Integers, and thresholds of their own for each channel: some hit exactly, some flipped, some constant.
struct IntegerInput {
  std::size_t pixels, channels, count;
  std::vector<std::int32_t> integers{}, thresholds{}, flip{};

  [[nodiscard]] std::uint8_t rank(std::size_t at) const {
    const std::size_t c = at % channels;
    std::size_t passed = 0;
    for (std::size_t l = 0; l < count; ++l) {
      passed += (integers[at] ^ flip[c]) > thresholds[l * channels + c] ? 1 : 0;
    }
    return static_cast<std::uint8_t>(passed);
  }
};

IntegerInput make_integers(Random& random, std::size_t pixels, std::size_t channels, std::size_t count) {
  constexpr std::int32_t kMost = std::numeric_limits<std::int32_t>::max();
  IntegerInput input{.pixels = pixels, .channels = channels, .count = count};
  for (std::size_t at = 0; at < pixels * channels; ++at) {
    const auto small = static_cast<std::int32_t>(random.between(0, 600)) - 300;
    input.integers.push_back(random.between(0, 9) == 0 ? (random.coin() ? kMost : -kMost) : small);
  }
  input.thresholds.resize(count * channels);
  for (std::size_t c = 0; c < channels; ++c) {
    input.flip.push_back(random.coin() ? -1 : 0);
    std::vector<std::int32_t> ascending;
    for (std::size_t l = 0; l < count; ++l) {
      ascending.push_back(static_cast<std::int32_t>(random.between(0, 600)) - 300);
    }
    std::sort(ascending.begin(), ascending.end());
    if (random.between(0, 4) == 0) {
      const std::size_t passed = random.between(0, count);
      for (std::size_t l = 0; l < count; ++l) ascending[l] = l < passed ? -kMost - 1 : kMost;
    }
    for (std::size_t l = 0; l < count; ++l) input.thresholds[l * channels + c] = ascending[l];
  }
  return input;
}

TEST(Epilogue, IntegerThresholds) {
  for (const std::size_t count : {0, 1, 2, 3, 4, 7, 15, 16, 31, 255}) {
    for (const std::size_t channels : {1, 3, 7, 8, 15, 16, 17, 32, 33, 48, 64, 65, 130}) {
      SCOPED_TRACE("seed " + std::to_string(count * 1000 + channels));
      Random random(count * 1000 + channels);
      const std::size_t pixels = random.between(1, 5);
      const IntegerInput input = make_integers(random, pixels, channels, count);
      const ActivationLayout layout{.height = 1,
                                    .width = pixels,
                                    .channels = channels,
                                    .planes = static_cast<std::size_t>(std::bit_width(count | 1U))};
      std::vector<std::uint8_t> ranks, codes, code_of_rank;
      for (std::size_t l = 0; l <= count; ++l) {
        code_of_rank.push_back(
            static_cast<std::uint8_t>(random.coin() ? l : random.bits() & ((1U << layout.planes) - 1U)));
      }
      for (std::size_t at = 0; at < pixels * channels; ++at) {
        ranks.push_back(input.rank(at));
        codes.push_back(code_of_rank[ranks.back()]);
      }
      const IntegerThresholds integer{input.thresholds.data(), input.flip.data()};
      const RankCodes quantizer{nullptr, count, code_of_rank.data()};
      const EpilogueRow row{.integers = input.integers.data(), .pixels = pixels, .channels = channels};
      for (const IsaInfo& isa : runnable_isas(Family::Epilogue)) {
        SCOPED_TRACE(isa.name);
        const EpilogueKernels& kernels = select_epilogue(detect_cpu().limited_to(isa.isa));
        std::vector<std::uint8_t> out(ranks.size(), 0xDD);
        kernels.apply(
            {.kind = EpilogueKind::Ranks, .ranks = quantizer, .integer = integer, .out_ranks = out.data()},
            row);
        EXPECT_EQ(out, ranks);
        PlanesOf planes(layout, 1, codes);
        kernels.apply({.kind = EpilogueKind::Planes,
                       .ranks = quantizer,
                       .integer = integer,
                       .out_planes = planes.out(),
                       .layout = layout},
                      row);
        EXPECT_TRUE(planes.as_expected());
      }
    }
  }
}

/// Comparisons that a product made in its registers.
TEST(Epilogue, PassedThresholdsBecomePlanes) {
  for (const std::size_t count : {1, 2, 3, 7, 15}) {
    for (const std::size_t channels : {8, 16, 24, 32, 40, 64, 72, 136}) {
      SCOPED_TRACE("seed " + std::to_string(count * 1000 + channels));
      Random random(count * 1000 + channels);
      const std::size_t groups = random.coin() ? 3 : 1;
      const ActivationLayout layout{.height = 1,
                                    .width = random.between(1, 9),
                                    .channels = groups * channels,
                                    .planes = static_cast<std::size_t>(std::bit_width(count)),
                                    .groups = groups};
      const std::size_t row_bits = layout.width * layout.channels, gap = random.between(0, 3);
      std::vector<std::uint8_t> code_of_rank, codes;
      for (std::size_t l = 0; l <= count; ++l)
        code_of_rank.push_back(static_cast<std::uint8_t>(random.bits() & ((1U << layout.planes) - 1U)));
      reference::Guarded<std::byte> bits((count - 1) * (row_bits / 8 + gap) + row_bits / 8);
      bits.fill_bytes(0);
      for (std::size_t at = 0; at < row_bits; ++at) {
        const std::size_t rank = random.between(0, count);
        for (std::size_t l = 0; l < rank; ++l)
          bits.data()[l * (row_bits / 8 + gap) + at / 8] |= std::byte{1} << (at % 8);
        codes.push_back(code_of_rank[rank]);
      }
      for (const IsaInfo& isa : runnable_isas(Family::Epilogue)) {
        SCOPED_TRACE(isa.name);
        PlanesOf planes(layout, 1, codes);
        select_epilogue(detect_cpu().limited_to(isa.isa))
            .apply({.kind = EpilogueKind::Planes,
                    .ranks = {nullptr, count, code_of_rank.data()},
                    .out_planes = planes.out(),
                    .layout = layout},
                   {.passed = {bits.data(), row_bits / 8 + gap},
                    .pixels = layout.width,
                    .channels = layout.channels});
        EXPECT_TRUE(planes.as_expected());
      }
    }
  }
}

TEST(Epilogue, RanksOfAPoolingBecomePlanes) {
  for (const std::size_t count : {1, 3, 7, 15, 100, 255}) {
    for (const std::size_t channels : {1, 7, 16, 17, 32, 33, 64, 65, 128}) {
      SCOPED_TRACE("seed " + std::to_string(count * 1000 + channels));
      Random random(count * 1000 + channels);
      const std::size_t groups = random.coin() ? 3 : 1;
      const ActivationLayout layout{.height = 1,
                                    .width = random.between(1, 9),
                                    .channels = groups * channels,
                                    .planes = static_cast<std::size_t>(std::bit_width(count)),
                                    .groups = groups};
      std::vector<std::uint8_t> code_of_rank, ranks, codes;
      const bool identity = random.coin();
      for (std::size_t l = 0; l <= count; ++l) {
        code_of_rank.push_back(
            static_cast<std::uint8_t>(identity ? l : random.bits() & ((1U << layout.planes) - 1U)));
      }
      for (std::size_t at = 0; at < layout.width * layout.channels; ++at) {
        ranks.push_back(static_cast<std::uint8_t>(random.between(0, count)));
        codes.push_back(code_of_rank[ranks.back()]);
      }
      for (const IsaInfo& isa : runnable_isas(Family::Epilogue)) {
        SCOPED_TRACE(isa.name);
        PlanesOf planes(layout, 1, codes);
        select_epilogue(detect_cpu().limited_to(isa.isa))
            .apply({.kind = EpilogueKind::Planes,
                    .ranks = {nullptr, count, code_of_rank.data()},
                    .out_planes = planes.out(),
                    .layout = layout},
                   {.ranks = ranks.data(), .pixels = layout.width, .channels = layout.channels});
        EXPECT_TRUE(planes.as_expected());
      }
    }
  }
}

}  // namespace
}  // namespace bitplane::kernels
