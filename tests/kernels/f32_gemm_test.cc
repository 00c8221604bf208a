// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "bitplane/kernels/f32.h"
#include "kernels/f32_support.h"

namespace bitplane::kernels {
namespace {

/// Element (row, column) of an operand that may be stored transposed.
struct Operand {
  const std::vector<float>& data;
  std::size_t ld;
  Transpose transpose;
  float at(std::size_t row, std::size_t column) const {
    return transpose == Transpose::Yes ? data[column * ld + row] : data[row * ld + column];
  }
};

struct GemmCase {
  std::size_t m, n, k;
  Transpose transpose_a = Transpose::No, transpose_b = Transpose::No;
  Accumulate accumulate = Accumulate::Overwrite;
};

/// Runs one product with padded leading dimensions and compares every element, the gaps between rows
/// included.
void check_gemm(const F32Kernels& kernels, const GemmCase& g, std::uint64_t seed) {
  SCOPED_TRACE(testing::Message() << kernels.name << " m=" << g.m << " n=" << g.n << " k=" << g.k
                                  << " ta=" << (g.transpose_a == Transpose::Yes)
                                  << " tb=" << (g.transpose_b == Transpose::Yes) << " seed=" << seed);
  Numbers numbers(seed);
  const bool ta = g.transpose_a == Transpose::Yes, tb = g.transpose_b == Transpose::Yes;
  const std::size_t lda = (ta ? g.m : g.k) + 3, ldb = (tb ? g.k : g.n) + 1, ldc = g.n + 2;
  // No slack behind the last row: reading past it is for the address sanitizer to see.
  const std::vector<float> a = numbers.floats((ta ? g.k : g.m) * lda - 3);
  const std::vector<float> b = numbers.floats((tb ? g.n : g.k) * ldb - 1);
  std::vector<float> c(g.m * ldc - 2, kGarbage);
  for (std::size_t i = 0; i < c.size(); ++i) {
    if (g.accumulate == Accumulate::Add && i % ldc < g.n) c[i] = numbers.uniform(-1, 1);
  }

  std::vector<float> expected = c;
  const Operand left{a, lda, g.transpose_a}, right{b, ldb, g.transpose_b};
  for (std::size_t i = 0; i < g.m; ++i) {
    for (std::size_t j = 0; j < g.n; ++j) {
      float sum = g.accumulate == Accumulate::Add ? c[i * ldc + j] : 0.0F;
      for (std::size_t t = 0; t < g.k; ++t) sum = std::fma(left.at(i, t), right.at(t, j), sum);
      expected[i * ldc + j] = sum;
    }
  }

  const F32Gemm gemm{.m = g.m,
                     .n = g.n,
                     .k = g.k,
                     .a = a.data(),
                     .lda = lda,
                     .transpose_a = g.transpose_a,
                     .b = b.data(),
                     .ldb = ldb,
                     .transpose_b = g.transpose_b,
                     .c = c.data(),
                     .ldc = ldc,
                     .accumulate = g.accumulate};
  AlignedArray<std::byte> scratch(gemm_f32_scratch_bytes(gemm));
  gemm_f32(kernels, gemm, scratch.data());
  EXPECT_EQ(bits_of(c), bits_of(expected));
}

class F32GemmTest : public testing::TestWithParam<IsaInfo> {
 protected:
  void SetUp() override {
    if (!detect_cpu().has(GetParam().isa)) GTEST_SKIP() << GetParam().name << " cannot run here";
    ASSERT_EQ(f32_of(GetParam()).isa, GetParam().isa);  // or the test would prove nothing about this ISA
  }
};
INSTANTIATE_TEST_SUITE_P(Isas, F32GemmTest, testing::ValuesIn(built_isas(Family::F32)),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_P(F32GemmTest, EveryRowAndColumnCountAroundTheTiles) {
  for (const std::size_t m : {1, 2, 3, 5, 6, 7, 8, 9, 11, 13, 16, 17, 23, 24, 25}) {
    for (const std::size_t n :
         {1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 47, 48, 49, 63, 64, 65, 80, 97}) {
      check_gemm(f32_of(GetParam()), {.m = m, .n = n, .k = 5}, m * 1000 + n);
    }
  }
}

TEST_P(F32GemmTest, StepCountsAroundTheBlocks) {
  for (const std::size_t k :
       {1, 2, 127, 128, 129, 255, 256, 257, 383, 384, 385, 769, 1023, 1024, 1025, 2049}) {
    check_gemm(f32_of(GetParam()), {.m = 9, .n = 50, .k = k}, k);
    check_gemm(f32_of(GetParam()), {.m = 3, .n = 7, .k = k, .accumulate = Accumulate::Add}, k + 1);
  }
}

// Blocks of columns end at the edges of panels, whatever share of the cache a block's steps leave for them.
TEST_P(F32GemmTest, ColumnsAroundTheBlocks) {
  for (const std::size_t n : {112, 113, 143, 208, 256, 257, 350}) {
    for (const std::size_t k : {400, 576, 700, 1024, 1152}) {
      check_gemm(f32_of(GetParam()), {.m = 7, .n = n, .k = k, .transpose_b = Transpose::Yes}, n + k);
    }
  }
}

TEST_P(F32GemmTest, BothTransposesBothAccumulations) {
  for (const Transpose ta : {Transpose::No, Transpose::Yes}) {
    for (const Transpose tb : {Transpose::No, Transpose::Yes}) {
      for (const Accumulate accumulate : {Accumulate::Overwrite, Accumulate::Add}) {
        for (const std::size_t m : {1, 10, 37}) {
          check_gemm(
              f32_of(GetParam()),
              {.m = m, .n = 29, .k = 131, .transpose_a = ta, .transpose_b = tb, .accumulate = accumulate}, m);
        }
      }
    }
  }
}

TEST_P(F32GemmTest, ZeroStepsWriteZerosOrKeep) {
  std::vector<float> c(3 * 20, kGarbage);
  const std::vector<std::ptrdiff_t> rows(3, 0);
  const float nothing = 0.0F;
  GatherGemm g{.a = &nothing,
               .row_offset = rows.data(),
               .rows = 3,
               .step_offset = rows.data(),
               .b = &nothing,
               .b_row_stride = 20,
               .b_panel_stride = kF32PanelWidth,
               .columns = 20,
               .c = c.data(),
               .c_row_stride = 20,
               .accumulate = Accumulate::Add};
  f32_of(GetParam()).gather_gemm(g);
  EXPECT_EQ(c, std::vector<float>(c.size(), kGarbage));
  g.accumulate = Accumulate::Overwrite;
  f32_of(GetParam()).gather_gemm(g);
  EXPECT_EQ(c, std::vector<float>(c.size(), 0.0F));
}

// Infinities, NaN, denormals and cancellation go through one chain of fma like everything else.
TEST_P(F32GemmTest, ExtremeOperands) {
  constexpr float kExtremes[] = {0.0F,
                                 -0.0F,
                                 1.0F,
                                 -1.0F,
                                 std::numeric_limits<float>::denorm_min(),
                                 -std::numeric_limits<float>::min(),
                                 std::numeric_limits<float>::max(),
                                 1.0F + std::numeric_limits<float>::epsilon(),
                                 -16777215.0F,
                                 3.0e-39F};
  constexpr std::size_t kCount = std::size(kExtremes), kSteps = 7, kColumns = 21;
  std::vector<float> a(kCount * kSteps), b(kSteps * kColumns), c(kCount * kColumns, kGarbage);
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = kExtremes[(i * 7 + i / 9) % kCount];
  for (std::size_t i = 0; i < b.size(); ++i) b[i] = kExtremes[(i * 3 + i / 4) % kCount];
  std::vector<float> expected(c.size());
  for (std::size_t i = 0; i < kCount; ++i) {
    for (std::size_t j = 0; j < kColumns; ++j) {
      float sum = 0.0F;
      for (std::size_t t = 0; t < kSteps; ++t) sum = std::fma(a[i * kSteps + t], b[t * kColumns + j], sum);
      expected[i * kColumns + j] = sum;
    }
  }
  const F32Gemm gemm{.m = kCount,
                     .n = kColumns,
                     .k = kSteps,
                     .a = a.data(),
                     .lda = kSteps,
                     .b = b.data(),
                     .ldb = kColumns,
                     .c = c.data(),
                     .ldc = kColumns};
  AlignedArray<std::byte> scratch(gemm_f32_scratch_bytes(gemm));
  gemm_f32(f32_of(GetParam()), gemm, scratch.data());
  for (std::size_t i = 0; i < c.size(); ++i) {
    if (std::isnan(expected[i])) {
      EXPECT_TRUE(std::isnan(c[i])) << i;
    } else {
      EXPECT_EQ(bits_of({c[i]}), bits_of({expected[i]})) << i;
    }
  }
}

TEST(F32Panels, PackWritesEveryElementAndZeroesMissingColumns) {
  for (const std::size_t n : {1, 15, 16, 17, 40}) {
    for (const std::size_t k : {1, 9, 63}) {
      Numbers numbers(n * 100 + k);
      const std::vector<float> filters = numbers.floats(n * k);  // [out][K]
      std::vector<float> turned(k * n);                          // [K][out]
      for (std::size_t i = 0; i < n * k; ++i) turned[i % k * n + i / k] = filters[i];
      F32Panels panels(k, n), again(k, n);
      ASSERT_EQ(panels.bytes(), (n + 15) / 16 * 16 * k * sizeof(float));
      std::fill_n(panels.data(), panels.bytes() / sizeof(float), kGarbage);
      pack_f32_panels(filters.data(), 1, k, panels);
      pack_f32_panels(turned.data(), n, 1, again);
      for (std::size_t column = 0; column < (n + 15) / 16 * 16; ++column) {
        for (std::size_t t = 0; t < k; ++t) {
          const std::size_t at = column / 16 * 16 * k + t * 16 + column % 16;
          const float expected = column < n ? filters[column * k + t] : 0.0F;
          ASSERT_EQ(panels.data()[at], expected)
              << "n=" << n << " k=" << k << " column=" << column << " t=" << t;
          ASSERT_EQ(again.data()[at], expected);
        }
      }
    }
  }
}

TEST(F32Select, IsPureAndFallsBackToScalar) {
  EXPECT_EQ(select_f32({.isas = 1}).isa, Isa::Scalar);
  const CpuFeatures everything{.isas = (1U << kIsas.size()) - 1};
  for (const IsaInfo& info : built_isas(Family::F32)) {
    EXPECT_EQ(select_f32(everything.limited_to(info.isa)).isa, info.isa) << info.name;
  }
}

}  // namespace
}  // namespace bitplane::kernels
