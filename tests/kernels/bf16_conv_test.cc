// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <tuple>

#include "kernels/bf16_support.h"

namespace bitplane::kernels {
namespace {

struct Bf16ConvCase {
  const char* name;
  ConvShape shape;
};
void PrintTo(const Bf16ConvCase& c, std::ostream* out) {
  *out << c.name;
}

ConvShape square(std::size_t batch, std::size_t side, std::size_t channels, std::size_t out,
                 std::size_t kernel, std::size_t stride = 1) {
  return {.batch = batch,
          .height = side,
          .width = side,
          .channels = channels,
          .out_channels = out,
          .kernel_h = kernel,
          .kernel_w = kernel,
          .stride_h = stride,
          .stride_w = stride,
          .pad_h = kernel / 2,
          .pad_w = kernel / 2};
}

const Bf16ConvCase kBf16Cases[] = {
    {"even_channels", square(2, 8, 16, 20, 3)},
    {"odd_channels", square(2, 9, 5, 17, 3)},
    {"one_channel", square(1, 6, 1, 33, 3)},
    {"wide_rows", square(1, 33, 3, 7, 3)},
    {"many_small_pictures", square(7, 3, 4, 6, 3)},
    {"halved", square(3, 8, 6, 66, 3, 2)},
    {"pointwise", square(3, 5, 33, 31, 1)},
    {"pointwise_halved", square(3, 5, 8, 9, 1, 2)},
    {"deep", square(1, 7, 64, 70, 3)},
    {"linear", {.batch = 1, .height = 37, .channels = 131, .out_channels = 10}},
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
    {"all_different",
     {.batch = 2,
      .height = 13,
      .width = 10,
      .channels = 3,
      .out_channels = 20,
      .kernel_h = 5,
      .kernel_w = 3,
      .stride_h = 2,
      .stride_w = 3,
      .pad_h = 2,
      .pad_w = 1,
      .dilation_h = 1,
      .dilation_w = 2}},
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

/// x of a picture at a padded position.
float padded(const ConvShape& s, const std::vector<float>& x, std::size_t picture, std::size_t y,
             std::size_t column, std::size_t channel) {
  if (y < s.pad_h || y >= s.pad_h + s.height || column < s.pad_w || column >= s.pad_w + s.width) return 0.0F;
  return x[((picture * s.height + y - s.pad_h) * s.width + column - s.pad_w) * s.channels + channel];
}

/// weights [out][K]
std::vector<float> oracle_forward(const ConvShape& s, const std::vector<float>& x,
                                  const std::vector<float>& w, const Bf16Arithmetic& arithmetic) {
  std::vector<float> z;
  for (std::size_t pixel = 0; pixel < s.out_pixels(); ++pixel) {
    const std::size_t ox = pixel % s.out_width(), row = pixel / s.out_width();
    const std::size_t oy = row % s.out_height(), picture = row / s.out_height();
    for (std::size_t o = 0; o < s.out_channels; ++o) {
      Steps steps;
      std::size_t k = o * s.filter_size();
      for (std::size_t ky = 0; ky < s.kernel_h; ++ky) {
        for (std::size_t kx = 0; kx < s.kernel_w; ++kx) {
          for (std::size_t c = 0; c < s.channels; ++c) {
            steps.add(padded(s, x, picture, oy * s.stride_h + ky * s.dilation_h,
                             ox * s.stride_w + kx * s.dilation_w, c),
                      w[k++]);
          }
          if (s.dilation_w != 1) steps.end_run(arithmetic.block);
        }
        steps.end_run(arithmetic.block);
      }
      z.push_back(arithmetic.sum(steps, 0.0F));
    }
  }
  return z;
}

std::size_t round_up(std::size_t a, std::size_t multiple) {
  return (a + multiple - 1) / multiple * multiple;
}

/// The steps of dw[k][o] over pictures [first, last), which are one product; `group` decides their order.
Steps gradient_steps(const ConvShape& s, const std::vector<float>& x, const std::vector<float>& dz,
                     std::size_t k, std::size_t o, std::size_t first, std::size_t last, std::size_t group,
                     std::size_t block) {
  const std::size_t grid_w = s.out_width() + s.dilation_w * (s.kernel_w - 1) / s.stride_w;
  const std::size_t grid_h = s.out_height() + s.dilation_h * (s.kernel_h - 1) / s.stride_h;
  const std::size_t run = (group * grid_h - (grid_h - s.out_height()) - 1) * grid_w + s.out_width();
  const bool one_run = round_up(run, block) <= group * s.out_height() * round_up(s.out_width(), block);
  const std::size_t c = k % s.channels, kx = k / s.channels % s.kernel_w, ky = k / s.channels / s.kernel_w;
  Steps steps;
  for (std::size_t picture = first; picture < last; ++picture) {
    for (std::size_t y = 0; y < (one_run ? grid_h : s.out_height()); ++y) {
      for (std::size_t column = 0; column < (one_run ? grid_w : s.out_width()); ++column) {
        if (y >= s.out_height() || column >= s.out_width()) {
          steps.add(0.0F, 0.0F);
          continue;
        }
        steps.add(padded(s, x, picture, y * s.stride_h + ky * s.dilation_h,
                         column * s.stride_w + kx * s.dilation_w, c),
                  dz[((picture * s.out_height() + y) * s.out_width() + column) * s.out_channels + o]);
      }
      if (!one_run) steps.end_run(block);
    }
  }
  steps.end_run(block);
  return steps;
}

void oracle_weight_gradient(const Bf16Conv& conv, const std::vector<float>& x, const std::vector<float>& dz,
                            std::size_t first, std::size_t last, const Bf16Arithmetic& arithmetic,
                            std::vector<float>& dw) {
  const ConvShape& s = conv.shape();
  const std::size_t group = conv.weight_gradient_group();
  for (std::size_t at = 0; at < dw.size(); ++at) {
    for (std::size_t begin = first; begin < last; begin += group) {
      const Steps steps = gradient_steps(s, x, dz, at / s.out_channels, at % s.out_channels, begin,
                                         std::min(last, begin + group), group, arithmetic.block);
      dw[at] = arithmetic.sum(steps, dw[at]);
    }
  }
}

class Bf16ConvTest : public testing::TestWithParam<std::tuple<Bf16Candidate, Bf16ConvCase>> {
 protected:
  void SetUp() override {
    if (candidate().kernels == nullptr) GTEST_SKIP() << candidate().name << " cannot run here";
  }
  const Bf16Candidate& candidate() const { return std::get<0>(GetParam()); }
  const ConvShape& shape() const { return std::get<1>(GetParam()).shape; }
};
INSTANTIATE_TEST_SUITE_P(Cases, Bf16ConvTest,
                         testing::Combine(testing::ValuesIn(bf16_candidates()),
                                          testing::ValuesIn(kBf16Cases)),
                         [](const auto& test) {
                           return std::string(std::get<0>(test.param).name) + "_" +
                                  std::get<1>(test.param).name;
                         });

/// NaN, should any of it be read before it is written.
AlignedArray<std::byte> dirty_scratch(std::size_t bytes) {
  AlignedArray<std::byte> scratch(bytes);
  std::memset(scratch.data(), 0xff, scratch.size());
  return scratch;
}

// Both orders of weights; any cut into rows, each with a dirty scratch of its own, gives the same rows.
TEST_P(Bf16ConvTest, ForwardEqualsTheOracle) {
  const ConvShape& s = shape();
  Numbers numbers(17);
  const auto x = numbers.floats(s.batch * s.height * s.width * s.channels);
  const auto w = numbers.floats(s.out_channels * s.filter_size());
  std::vector<float> step_major(w.size());
  for (std::size_t i = 0; i < w.size(); ++i)
    step_major[i % s.filter_size() * s.out_channels + i / s.filter_size()] = w[i];
  const std::vector<float> expected = oracle_forward(s, x, w, candidate().arithmetic);
  const Bf16Conv conv(*candidate().kernels, s);
  const std::size_t rows = s.batch * s.out_height(), row_floats = s.out_width() * s.out_channels;
  for (const Bf16Order order : {Bf16Order::ColumnMajor, Bf16Order::StepMajor}) {
    AlignedArray<std::byte> packed = dirty_scratch(conv.packed_weight_bytes());
    conv.pack_weights(order == Bf16Order::StepMajor ? step_major.data() : w.data(), order, packed.data());
    for (const std::size_t step : {rows, std::size_t{1}, std::size_t{3}, s.out_height() + 1}) {
      std::vector<float> z(expected.size(), kGarbage);
      for (std::size_t first = 0; first < rows; first += step) {
        AlignedArray<std::byte> scratch = dirty_scratch(conv.forward_scratch_bytes());
        conv.forward(x.data(), packed.data(), z.data() + first * row_floats,
                     {first, std::min(rows, first + step)}, scratch.data());
      }
      EXPECT_EQ(bits_of(z), bits_of(expected)) << "rows at a time: " << step;
    }
  }
}

TEST_P(Bf16ConvTest, WeightGradientEqualsTheOracle) {
  const ConvShape& s = shape();
  Numbers numbers(19);
  const auto x = numbers.floats(s.batch * s.height * s.width * s.channels);
  const auto dz = numbers.floats(s.out_pixels() * s.out_channels);
  const Bf16Conv conv(*candidate().kernels, s);
  AlignedArray<std::byte> scratch = dirty_scratch(conv.weight_gradient_scratch_bytes());
  std::vector<float> dw(s.filter_size() * s.out_channels, kGarbage), expected(dw.size(), 0.0F);
  oracle_weight_gradient(conv, x, dz, 0, s.batch, candidate().arithmetic, expected);
  conv.weight_gradient(x.data(), dz.data(), dw.data(), 0, s.batch, Accumulate::Overwrite, scratch.data());
  EXPECT_EQ(bits_of(dw), bits_of(expected));
  scratch = dirty_scratch(conv.weight_gradient_scratch_bytes());
  oracle_weight_gradient(conv, x, dz, s.batch - 1, s.batch, candidate().arithmetic, expected);
  conv.weight_gradient(x.data(), dz.data(), dw.data(), s.batch - 1, s.batch, Accumulate::Add, scratch.data());
  EXPECT_EQ(bits_of(dw), bits_of(expected));
  conv.weight_gradient(x.data(), dz.data(), dw.data(), 0, 0, Accumulate::Add, scratch.data());
  EXPECT_EQ(bits_of(dw), bits_of(expected)) << "no pictures add nothing";
  conv.weight_gradient(x.data(), dz.data(), dw.data(), 0, 0, Accumulate::Overwrite, scratch.data());
  EXPECT_EQ(dw, std::vector<float>(dw.size(), 0.0F));
}

}  // namespace
}  // namespace bitplane::kernels
