// SPDX-License-Identifier: Apache-2.0
//
// The three products of a training step against chains that walk over every tap, padding zeros included.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "bitplane/kernels/f32_training.h"
#include "kernels/f32_conv_support.h"

namespace bitplane::kernels {
namespace {

class F32TrainingTest : public testing::TestWithParam<std::tuple<IsaInfo, ConvCase>> {
 protected:
  void SetUp() override {
    if (!detect_cpu().has(isa().isa)) GTEST_SKIP() << isa().name << " cannot run here";
  }
  const IsaInfo& isa() const { return std::get<0>(GetParam()); }
  const ConvShape& shape() const { return std::get<1>(GetParam()).shape; }
  const F32Kernels& kernels() const { return f32_of(isa()); }
};
INSTANTIATE_TEST_SUITE_P(Cases, F32TrainingTest,
                         testing::Combine(testing::ValuesIn(built_isas(Family::F32)),
                                          testing::ValuesIn(kConvCases)),
                         [](const auto& test) {
                           return std::string(std::get<0>(test.param).name) + "_" +
                                  std::get<1>(test.param).name;
                         });

/// dz at an output position, 0 beyond them.
float gradient_at(const ConvShape& s, const std::vector<float>& dz, std::size_t picture, std::size_t y,
                  std::size_t x, std::size_t o) {
  if (y >= s.out_height() || x >= s.out_width()) return 0.0F;
  return dz[((picture * s.out_height() + y) * s.out_width() + x) * s.out_channels + o];
}

/// One chain per input element over the taps from the last to the first, then the filters.
float data_gradient_at(const ConvShape& s, const std::vector<float>& w, const std::vector<float>& dz,
                       std::size_t at) {
  const std::size_t in = s.channels / s.groups, out = s.out_channels / s.groups;
  const std::size_t channel = at % s.channels, pixel = at / s.channels;
  const std::size_t x = pixel % s.width + s.pad_w, y = pixel / s.width % s.height + s.pad_h;
  const std::size_t picture = pixel / s.width / s.height, group = channel / in;
  float sum = 0.0F;
  for (std::size_t tap = s.taps(); tap-- > 0;) {
    const std::size_t up = tap / s.kernel_w * s.dilation_h, left = tap % s.kernel_w * s.dilation_w;
    if (y < up || x < left || (y - up) % s.stride_h != 0 || (x - left) % s.stride_w != 0) continue;
    for (std::size_t o = group * out; o < (group + 1) * out; ++o) {
      sum = std::fma(gradient_at(s, dz, picture, (y - up) / s.stride_h, (x - left) / s.stride_w, o),
                     w[(o * s.taps() + tap) * in + channel % in], sum);
    }
  }
  return sum;
}

/// Pictures [first, last), [group][K][out / groups].
std::vector<float> reference_weight_gradient(const ConvShape& s, const std::vector<float>& x,
                                             const std::vector<float>& dz, std::size_t first,
                                             std::size_t last) {
  const std::size_t out = s.out_channels / s.groups;
  std::vector<float> dw;
  for (std::size_t group = 0; group < s.groups; ++group) {
    for (std::size_t k = 0; k < s.filter_size(); ++k) {
      for (std::size_t o = group * out; o < (group + 1) * out; ++o) {
        float sum = 0.0F;
        for (std::size_t picture = first; picture < last; ++picture) {
          for (std::size_t p = 0; p < s.out_height() * s.out_width(); ++p) {
            const std::size_t oy = p / s.out_width(), ox = p % s.out_width();
            sum = std::fma(input_at(s, x, picture, oy, ox, group, k), gradient_at(s, dz, picture, oy, ox, o),
                           sum);
          }
        }
        dw.push_back(sum);
      }
    }
  }
  return dw;
}

/// All pictures in ranges of what one product takes, panels in ranges of two.
std::vector<F32TrainingConv::Share> shares(const F32TrainingConv& conv, std::size_t batch,
                                           std::size_t panels) {
  std::vector<F32TrainingConv::Share> all;
  for (std::size_t picture = 0; picture < batch; picture += conv.pictures_at_once()) {
    for (std::size_t panel = 0; panel < panels; panel += 2) {
      all.push_back({.pictures = {picture, std::min(batch, picture + conv.pictures_at_once())},
                     .panels = {panel, std::min(panels, panel + 2)}});
    }
  }
  return all;
}

std::size_t panels_for(std::size_t columns) {
  return (columns + kF32PanelWidth - 1) / kF32PanelWidth;
}

TEST_P(F32TrainingTest, ForwardEqualsTheChainWithPaddingZeros) {
  const ConvShape& s = shape();
  Numbers numbers(17);
  const auto x = numbers.floats(s.batch * s.height * s.width * s.channels);
  const auto w = numbers.floats(s.out_channels * s.filter_size());
  const std::vector<F32Panels> weights = pack_groups(s, w);
  const F32TrainingConv conv(s);
  const std::vector<float> expected = reference_forward(s, x, w);
  const std::size_t panels = panels_for(s.out_channels / s.groups);
  std::vector<float> z(expected.size(), kGarbage), pieces = z;
  conv.forward(kernels(), x.data(), weights.data(), z.data(), {{0, s.batch}, {0, panels}});
  EXPECT_EQ(bits_of(z), bits_of(expected));
  for (const F32TrainingConv::Share& share : shares(conv, s.batch, panels))
    conv.forward(kernels(), x.data(), weights.data(), pieces.data(), share);
  EXPECT_EQ(bits_of(pieces), bits_of(expected));
}

TEST_P(F32TrainingTest, DataGradientEqualsTheChainOverTurnedFilters) {
  const ConvShape& s = shape();
  Numbers numbers(18);
  const auto w = numbers.floats(s.out_channels * s.filter_size());
  const auto dz = numbers.floats(s.out_pixels() * s.out_channels);
  const F32TrainingConv conv(s);
  const std::size_t panels = panels_for(s.channels / s.groups);
  std::vector<F32Panels> turned;
  for (std::size_t g = 0; g < s.groups; ++g) {
    turned.push_back(conv.turned_panels());
    std::fill_n(turned[g].data(), turned[g].bytes() / sizeof(float), kGarbage);
    for (std::size_t panel = 0; panel < panels; ++panel) conv.pack_turned(w.data(), g, panel, turned[g]);
  }
  std::vector<float> expected(s.batch * s.height * s.width * s.channels), dx(expected.size(), kGarbage);
  for (std::size_t i = 0; i < expected.size(); ++i) expected[i] = data_gradient_at(s, w, dz, i);
  std::vector<float> pieces = dx;
  conv.data_gradient(kernels(), dz.data(), turned.data(), dx.data(), {{0, s.batch}, {0, panels}});
  EXPECT_EQ(bits_of(dx), bits_of(expected));
  for (const F32TrainingConv::Share& share : shares(conv, s.batch, panels))
    conv.data_gradient(kernels(), dz.data(), turned.data(), pieces.data(), share);
  EXPECT_EQ(bits_of(pieces), bits_of(expected));
}

TEST_P(F32TrainingTest, WeightGradientEqualsTheChainOverPixels) {
  const ConvShape& s = shape();
  Numbers numbers(19);
  const auto x = numbers.floats(s.batch * s.height * s.width * s.channels);
  const auto dz = numbers.floats(s.out_pixels() * s.out_channels);
  const F32TrainingConv conv(s);
  for (const IndexRange pictures : {IndexRange{0, s.batch}, IndexRange{s.batch - 1, s.batch}}) {
    const auto expected = reference_weight_gradient(s, x, dz, pictures.begin, pictures.end);
    std::vector<float> dw(expected.size(), kGarbage), pieces = dw;
    conv.weight_gradient(kernels(), x.data(), dz.data(), dw.data(), {pictures, {0, s.filter_size()}});
    EXPECT_EQ(bits_of(dw), bits_of(expected));
    for (std::size_t row = 0; row < s.filter_size(); row += 7) {
      conv.weight_gradient(kernels(), x.data(), dz.data(), pieces.data(),
                           {pictures, {row, std::min(s.filter_size(), row + 7)}});
    }
    EXPECT_EQ(bits_of(pieces), bits_of(expected));
  }
  std::vector<float> none(s.filter_size() * s.out_channels, kGarbage);
  conv.weight_gradient(kernels(), x.data(), dz.data(), none.data(), {{0, 0}, {0, s.filter_size()}});
  EXPECT_EQ(none, std::vector<float>(none.size(), 0.0F)) << "no pictures";
}

}  // namespace
}  // namespace bitplane::kernels
