// SPDX-License-Identifier: Apache-2.0
//
// The family promises the bits of `f32` on the dequantized weights; the oracle is that promise's own
// definition: one chain of std::fma per output, weights looked up one by one.
#include "bitplane/kernels/codebook.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "kernels/f32_support.h"

namespace bitplane::kernels {
namespace {

const CodebookKernels& codebook_of(const IsaInfo& info) {
  return select_codebook(detect_cpu().limited_to(info.isa));
}

struct Codebook {
  std::size_t level_count;
  LevelScope scope;
};

/// A layer with random operands. Levels are all different, so that a wrong index shows.
struct CodebookLayer {
  CodebookLayer(const ConvShape& s, const Codebook& book, std::uint64_t seed) : shape(s), codebook(book) {
    Numbers numbers(seed);
    x = numbers.floats(s.batch * s.height * s.width * s.channels);
    levels = numbers.floats(book.level_count * (book.scope == LevelScope::Channel ? s.out_channels : 1));
    indices.resize(s.out_channels * s.filter_size());
    for (std::size_t i = 0; i < indices.size(); ++i) {
      indices[i] = static_cast<std::uint8_t>(numbers.next() % book.level_count);
    }
  }
  [[nodiscard]] CodebookSpec spec() const {
    return {.shape = shape,
            .indices = indices.data(),
            .levels = levels.data(),
            .level_count = codebook.level_count,
            .scope = codebook.scope};
  }
  [[nodiscard]] float weight(std::size_t o, std::size_t k) const {
    const std::size_t index = indices[o * shape.filter_size() + k];
    return levels[codebook.scope == LevelScope::Channel ? o * codebook.level_count + index : index];
  }

  ConvShape shape;
  Codebook codebook;
  std::vector<float> x, levels;
  std::vector<std::uint8_t> indices;
};

std::vector<float> reference(const CodebookLayer& layer) {
  const ConvShape& s = layer.shape;
  const std::size_t in = s.channels / s.groups, out = s.out_channels / s.groups;
  std::vector<float> z(s.out_pixels() * s.out_channels, 0.0F);
  for (std::size_t at = 0; at < z.size(); ++at) {
    const std::size_t o = at % s.out_channels, pixel = at / s.out_channels;
    const std::size_t ox = pixel % s.out_width(), oy = pixel / s.out_width() % s.out_height();
    const std::size_t picture = pixel / s.out_width() / s.out_height();
    for (std::size_t k = 0; k < s.filter_size(); ++k) {
      const std::size_t y = oy * s.stride_h + k / in / s.kernel_w * s.dilation_h;
      const std::size_t x = ox * s.stride_w + k / in % s.kernel_w * s.dilation_w;
      const bool inside = y >= s.pad_h && x >= s.pad_w && y < s.pad_h + s.height && x < s.pad_w + s.width;
      const std::size_t from = ((picture * s.height + y - s.pad_h) * s.width + x - s.pad_w) * s.channels;
      z[at] = std::fma(inside ? layer.x[from + o / out * in + k % in] : 0.0F, layer.weight(o, k), z[at]);
    }
  }
  return z;
}

std::vector<float> run(const CodebookLayer& layer, const CodebookKernels& kernels,
                       std::size_t rows_at_a_time) {
  const ConvShape& s = layer.shape;
  const CodebookWeights weights(layer.spec());
  const CodebookConv conv(s);
  AlignedArray<float> scratch(conv.scratch_floats());
  std::fill_n(scratch.data(), scratch.size(), std::nanf(""));
  std::vector<float> z(s.out_pixels() * s.out_channels, kGarbage);
  const std::size_t rows = s.batch * s.out_height(), row_floats = s.out_width() * s.out_channels;
  for (std::size_t row = 0; row < rows; row += rows_at_a_time) {
    conv.forward(kernels, layer.x.data(), weights, z.data() + row * row_floats,
                 {row, std::min(rows, row + rows_at_a_time)}, scratch.data());
  }
  return z;
}

/// Every way of expanding, and the counts just below, at and above what each takes.
constexpr std::size_t kLevelCounts[] = {1, 2, 3, 4, 5, 8, 9, 15, 16, 17, 31, 32, 33, 64, 129, 255, 256};

class CodebookTest : public testing::TestWithParam<IsaInfo> {
 protected:
  void SetUp() override {
    if (!detect_cpu().has(GetParam().isa)) GTEST_SKIP() << GetParam().name << " cannot run here";
    ASSERT_EQ(codebook_of(GetParam()).isa, GetParam().isa);  // or the test would prove nothing about this ISA
    ASSERT_EQ(codebook_of(GetParam()).f32->isa, GetParam().isa);
  }
  void check(const ConvShape& shape, const Codebook& codebook, std::uint64_t seed) {
    SCOPED_TRACE(testing::Message() << "levels=" << codebook.level_count
                                    << " per channel=" << (codebook.scope == LevelScope::Channel)
                                    << " out=" << shape.out_channels << " K=" << shape.filter_size()
                                    << " seed=" << seed);
    const CodebookLayer layer(shape, codebook, seed);
    const std::vector<float> expected = reference(layer);
    EXPECT_EQ(bits_of(run(layer, codebook_of(GetParam()), shape.batch * shape.out_height())),
              bits_of(expected));
    EXPECT_EQ(bits_of(run(layer, codebook_of(GetParam()), 1)), bits_of(expected));
  }
};
INSTANTIATE_TEST_SUITE_P(Isas, CodebookTest, testing::ValuesIn(built_isas(Family::Codebook)),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_P(CodebookTest, EveryLevelCountBothScopes) {
  for (const std::size_t count : kLevelCounts) {
    for (const LevelScope scope : {LevelScope::Layer, LevelScope::Channel}) {
      check({.batch = 2,
             .height = 4,
             .width = 3,
             .channels = 5,
             .out_channels = 21,
             .kernel_h = 3,
             .kernel_w = 3,
             .pad_h = 1,
             .pad_w = 1},
            {count, scope}, count);
      check({.channels = 131, .out_channels = 33}, {count, scope}, count + 1000);  // matrix-vector
    }
  }
}

TEST_P(CodebookTest, ChannelCountsAroundThePanelsAndStepsAroundTheBlocks) {
  for (const std::size_t out : {1, 7, 8, 9, 15, 16, 17, 63, 64, 65, 127, 128, 129}) {
    check({.height = 3, .width = 3, .channels = 11, .out_channels = out}, {3, LevelScope::Layer}, out);
    check({.channels = 11, .out_channels = out}, {16, LevelScope::Channel}, out + 1000);
  }
  for (const std::size_t k : {1, 63, 64, 65, 127, 511, 512, 513, 1025}) {
    check({.height = 1, .width = 7, .channels = k, .out_channels = 18}, {5, LevelScope::Layer}, k);
    check({.height = 1, .width = 2, .channels = k, .out_channels = 18}, {2, LevelScope::Channel}, k + 1000);
  }
}

TEST_P(CodebookTest, StridesDilationGroups) {
  for (const LevelScope scope : {LevelScope::Layer, LevelScope::Channel}) {
    check({.batch = 2,
           .height = 9,
           .width = 8,
           .channels = 12,
           .out_channels = 51,
           .kernel_h = 3,
           .kernel_w = 2,
           .stride_h = 2,
           .stride_w = 3,
           .pad_h = 2,
           .pad_w = 1,
           .dilation_h = 2,
           .dilation_w = 1,
           .groups = 3},
          {4, scope}, 7);
    check({.height = 5,
           .width = 5,
           .channels = 7,
           .out_channels = 7,
           .kernel_h = 3,
           .kernel_w = 3,
           .pad_h = 1,
           .pad_w = 1,
           .groups = 7},
          {9, scope}, 8);
  }
}

// The promise in the terms of the other family: F32Conv on panels of the dequantized weights.
TEST_P(CodebookTest, EqualsF32OnDequantizedWeights) {
  const ConvShape s{.batch = 1,
                    .height = 7,
                    .width = 7,
                    .channels = 64,
                    .out_channels = 70,
                    .kernel_h = 3,
                    .kernel_w = 3,
                    .pad_h = 1,
                    .pad_w = 1};
  for (const Codebook codebook : {Codebook{3, LevelScope::Layer}, Codebook{16, LevelScope::Channel}}) {
    const CodebookLayer layer(s, codebook, 21);
    std::vector<float> weights;
    for (std::size_t o = 0; o < s.out_channels; ++o) {
      for (std::size_t k = 0; k < s.filter_size(); ++k) weights.push_back(layer.weight(o, k));
    }
    F32Panels panels(s.filter_size(), s.out_channels);
    pack_f32_panels(weights.data(), 1, s.filter_size(), panels);
    const F32Conv conv(s);
    std::vector<float> scratch(conv.scratch_floats()), z(s.out_pixels() * s.out_channels, kGarbage);
    conv.forward(f32_of(GetParam()), layer.x.data(), &panels, z.data(), {0, s.out_height()}, scratch.data());
    EXPECT_EQ(bits_of(run(layer, codebook_of(GetParam()), s.out_height())), bits_of(z));
  }
}

TEST(Codebook, WeightsStayPacked) {
  const ConvShape s{.channels = 1024, .out_channels = 64};
  const std::size_t weights = s.out_channels * s.filter_size();
  for (const std::size_t count : kLevelCounts) {
    const std::size_t bits = count <= 2 ? 1 : count <= 4 ? 2 : count <= 16 ? 4 : 8;
    const CodebookWeights packed(CodebookLayer(s, {count, LevelScope::Layer}, count).spec());
    EXPECT_LE(packed.bytes(), weights * bits / 8 + 4096) << count;
  }
}

TEST(Codebook, SelectionIsPureAndFallsBackToScalar) {
  EXPECT_EQ(select_codebook({.isas = 1}).isa, Isa::Scalar);
  const CpuFeatures everything{.isas = (1U << kIsas.size()) - 1};
  for (const IsaInfo& info : built_isas(Family::Codebook)) {
    EXPECT_EQ(select_codebook(everything.limited_to(info.isa)).isa, info.isa) << info.name;
  }
}

}  // namespace
}  // namespace bitplane::kernels
