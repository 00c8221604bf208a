// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "bitplane/kernels/f32.h"
#include "kernels/f32_support.h"

namespace bitplane::kernels {
namespace {

/// x at a position that may lie in the padding.
float padded_at(const ConvShape& s, const std::vector<float>& x, std::size_t picture, std::size_t y,
                std::size_t column, std::size_t channel) {
  if (y < s.pad_h || y >= s.pad_h + s.height || column < s.pad_w || column >= s.pad_w + s.width) return 0.0F;
  return x[((picture * s.height + y - s.pad_h) * s.width + column - s.pad_w) * s.channels + channel];
}

/// The input element that output position (picture, oy, ox) meets at filter element k of a group.
float input_at(const ConvShape& s, const std::vector<float>& x, std::size_t picture, std::size_t oy,
               std::size_t ox, std::size_t group, std::size_t k) {
  const std::size_t group_channels = s.channels / s.groups;
  const std::size_t tap = k / group_channels, channel = k % group_channels;
  return padded_at(s, x, picture, oy * s.stride_h + tap / s.kernel_w * s.dilation_h,
                   ox * s.stride_w + tap % s.kernel_w * s.dilation_w, group * group_channels + channel);
}

/// weights [out][K]
std::vector<float> reference_forward(const ConvShape& s, const std::vector<float>& x,
                                     const std::vector<float>& w) {
  std::vector<float> z(s.out_pixels() * s.out_channels);
  std::size_t i = 0;
  for (std::size_t picture = 0; picture < s.batch; ++picture) {
    for (std::size_t oy = 0; oy < s.out_height(); ++oy) {
      for (std::size_t ox = 0; ox < s.out_width(); ++ox) {
        for (std::size_t o = 0; o < s.out_channels; ++o, ++i) {
          const std::size_t group = o / (s.out_channels / s.groups);
          for (std::size_t k = 0; k < s.filter_size(); ++k) {
            z[i] = std::fma(input_at(s, x, picture, oy, ox, group, k), w[o * s.filter_size() + k], z[i]);
          }
        }
      }
    }
  }
  return z;
}

/// dw [K][out], continuing from what is there.
void reference_weight_gradient(const ConvShape& s, const std::vector<float>& x, const std::vector<float>& dz,
                               std::size_t first, std::size_t last, std::vector<float>& dw) {
  for (std::size_t k = 0; k < s.filter_size(); ++k) {
    for (std::size_t o = 0; o < s.out_channels; ++o) {
      float sum = dw[k * s.out_channels + o];
      for (std::size_t picture = first; picture < last; ++picture) {
        for (std::size_t p = 0; p < s.out_height() * s.out_width(); ++p) {
          const float v = input_at(s, x, picture, p / s.out_width(), p % s.out_width(), 0, k);
          sum = std::fma(v, dz[(picture * s.out_height() * s.out_width() + p) * s.out_channels + o], sum);
        }
      }
      dw[k * s.out_channels + o] = sum;
    }
  }
}

std::vector<F32Panels> pack_groups(const ConvShape& s, const std::vector<float>& w) {
  const std::size_t out = s.out_channels / s.groups;
  std::vector<F32Panels> groups;
  for (std::size_t g = 0; g < s.groups; ++g) {
    groups.emplace_back(s.filter_size(), out);
    pack_f32_panels(w.data() + g * out * s.filter_size(), 1, s.filter_size(), groups.back());
  }
  return groups;
}

struct ConvCase {
  const char* name;
  ConvShape shape;
};

void PrintTo(const ConvCase& c, std::ostream* out) {
  *out << c.name;
}

const ConvCase kCases[] = {
    {"first_layer",
     {.batch = 2,
      .height = 9,
      .width = 11,
      .channels = 1,
      .out_channels = 16,
      .kernel_h = 3,
      .kernel_w = 3,
      .pad_h = 1,
      .pad_w = 1}},
    {"no_padding",
     {.batch = 2, .height = 7, .width = 6, .channels = 5, .out_channels = 13, .kernel_h = 3, .kernel_w = 2}},
    {"strided",
     {.batch = 1,
      .height = 13,
      .width = 10,
      .channels = 3,
      .out_channels = 20,
      .kernel_h = 5,
      .kernel_w = 3,
      .stride_h = 2,
      .stride_w = 3,
      .pad_h = 2,
      .pad_w = 0}},
    {"dilated",
     {.batch = 1,
      .height = 12,
      .width = 12,
      .channels = 4,
      .out_channels = 33,
      .kernel_h = 3,
      .kernel_w = 3,
      .pad_h = 2,
      .pad_w = 3,
      .dilation_h = 2,
      .dilation_w = 3}},
    {"grouped",
     {.batch = 2,
      .height = 5,
      .width = 5,
      .channels = 12,
      .out_channels = 51,
      .kernel_h = 3,
      .kernel_w = 3,
      .pad_h = 1,
      .pad_w = 1,
      .groups = 3}},
    {"depthwise",
     {.batch = 1,
      .height = 6,
      .width = 6,
      .channels = 7,
      .out_channels = 7,
      .kernel_h = 3,
      .kernel_w = 3,
      .pad_h = 1,
      .pad_w = 1,
      .groups = 7}},
    {"pointwise", {.batch = 3, .height = 4, .width = 4, .channels = 65, .out_channels = 31}},
    {"linear", {.batch = 5, .channels = 257, .out_channels = 10}},
    {"deep",
     {.batch = 1,
      .height = 7,
      .width = 7,
      .channels = 64,
      .out_channels = 70,
      .kernel_h = 3,
      .kernel_w = 3,
      .pad_h = 1,
      .pad_w = 1}},
    {"padding_only_window",
     {.batch = 1,
      .height = 1,
      .width = 2,
      .channels = 2,
      .out_channels = 3,
      .kernel_h = 2,
      .kernel_w = 2,
      .pad_h = 3,
      .pad_w = 2}},
};

class F32ConvTest : public testing::TestWithParam<std::tuple<IsaInfo, ConvCase>> {
 protected:
  void SetUp() override {
    if (!detect_cpu().has(isa().isa)) GTEST_SKIP() << isa().name << " cannot run here";
  }
  const IsaInfo& isa() const { return std::get<0>(GetParam()); }
  const ConvShape& shape() const { return std::get<1>(GetParam()).shape; }
};
INSTANTIATE_TEST_SUITE_P(Cases, F32ConvTest,
                         testing::Combine(testing::ValuesIn(built_isas(Family::F32)),
                                          testing::ValuesIn(kCases)),
                         [](const auto& test) {
                           return std::string(std::get<0>(test.param).name) + "_" +
                                  std::get<1>(test.param).name;
                         });

TEST_P(F32ConvTest, ForwardEqualsTheChain) {
  const ConvShape& s = shape();
  Numbers numbers(17);
  const auto x = numbers.floats(s.batch * s.height * s.width * s.channels);
  const auto w = numbers.floats(s.out_channels * s.filter_size());
  const std::vector<F32Panels> weights = pack_groups(s, w);
  const F32Conv conv(s);
  std::vector<float> scratch(conv.scratch_floats(), kGarbage), z(s.out_pixels() * s.out_channels, kGarbage);
  const std::vector<float> expected = reference_forward(s, x, w);
  conv.forward(f32_of(isa()), x.data(), weights.data(), z.data(), {0, s.batch * s.out_height()},
               scratch.data());
  EXPECT_EQ(bits_of(z), bits_of(expected));
}

// Any cut into row ranges, each with a dirty scratch of its own, gives the same rows.
TEST_P(F32ConvTest, RowRangesGiveTheSameRows) {
  const ConvShape& s = shape();
  Numbers numbers(18);
  const auto x = numbers.floats(s.batch * s.height * s.width * s.channels);
  const auto w = numbers.floats(s.out_channels * s.filter_size());
  const std::vector<F32Panels> weights = pack_groups(s, w);
  const F32Conv conv(s);
  const std::vector<float> expected = reference_forward(s, x, w);
  const std::size_t rows = s.batch * s.out_height(), row_floats = s.out_width() * s.out_channels;
  for (const std::size_t step : {std::size_t{1}, std::size_t{3}, s.out_height() + 1}) {
    std::vector<float> z(expected.size(), kGarbage);
    for (std::size_t first = 0; first < rows; first += step) {
      std::vector<float> scratch(conv.scratch_floats(), std::nanf(""));
      const RowRange range{first, std::min(rows, first + step)};
      conv.forward(f32_of(isa()), x.data(), weights.data(), z.data() + first * row_floats, range,
                   scratch.data());
    }
    EXPECT_EQ(bits_of(z), bits_of(expected)) << "rows at a time: " << step;
  }
}

TEST_P(F32ConvTest, WeightGradientEqualsTheChainOverPixels) {
  const ConvShape& s = shape();
  if (s.groups != 1) GTEST_SKIP() << "the weight gradient takes no groups";
  Numbers numbers(19);
  const auto x = numbers.floats(s.batch * s.height * s.width * s.channels);
  const auto dz = numbers.floats(s.out_pixels() * s.out_channels);
  const F32Conv conv(s);
  std::vector<float> scratch(conv.scratch_floats(), kGarbage);
  std::vector<float> dw(s.filter_size() * s.out_channels, kGarbage), expected(dw.size(), 0.0F);
  reference_weight_gradient(s, x, dz, 0, s.batch, expected);
  conv.weight_gradient(f32_of(isa()), x.data(), dz.data(), dw.data(), 0, s.batch, Accumulate::Overwrite,
                       scratch.data());
  EXPECT_EQ(bits_of(dw), bits_of(expected));
  reference_weight_gradient(s, x, dz, s.batch - 1, s.batch, expected);
  conv.weight_gradient(f32_of(isa()), x.data(), dz.data(), dw.data(), s.batch - 1, s.batch, Accumulate::Add,
                       scratch.data());
  EXPECT_EQ(bits_of(dw), bits_of(expected));
  conv.weight_gradient(f32_of(isa()), x.data(), dz.data(), dw.data(), 0, 0, Accumulate::Add, scratch.data());
  EXPECT_EQ(bits_of(dw), bits_of(expected)) << "no pictures add nothing";
  conv.weight_gradient(f32_of(isa()), x.data(), dz.data(), dw.data(), 0, 0, Accumulate::Overwrite,
                       scratch.data());
  EXPECT_EQ(dw, std::vector<float>(dw.size(), 0.0F));
}

}  // namespace
}  // namespace bitplane::kernels
