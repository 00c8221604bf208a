// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "bitplane/kernels/f32.h"
#include "kernels/f32_conv_support.h"

namespace bitplane::kernels {
namespace {

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
                                          testing::ValuesIn(kConvCases)),
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

}  // namespace
}  // namespace bitplane::kernels
