// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>

#include "kernels/bf16_support.h"

namespace bitplane::kernels {
namespace {

struct Bf16GemmCase {
  std::size_t m, n, k;
  Transpose transpose_a = Transpose::No, transpose_b = Transpose::No;
  Accumulate accumulate = Accumulate::Overwrite;
};

float element(const std::vector<float>& data, std::size_t ld, Transpose transpose, std::size_t row,
              std::size_t column) {
  return transpose == Transpose::Yes ? data[column * ld + row] : data[row * ld + column];
}

/// Operands with padded leading dimensions and without slack behind the last row: reading past it is for the
/// address sanitizer to see.
struct Bf16Operands {
  Bf16GemmCase g;
  bool ta, tb;
  std::size_t lda, ldb, ldc;
  std::vector<float> a, b, c;

  Bf16Operands(const Bf16GemmCase& gemm, Numbers& numbers)
      : g(gemm),
        ta(g.transpose_a == Transpose::Yes),
        tb(g.transpose_b == Transpose::Yes),
        lda((ta ? g.m : g.k) + 3),
        ldb((tb ? g.k : g.n) + 1),
        ldc(g.n + 2),
        a(numbers.floats(std::max<std::size_t>((ta ? g.k : g.m) * lda, 3) - 3)),
        b(numbers.floats(std::max<std::size_t>((tb ? g.n : g.k) * ldb, 1) - 1)),
        c(g.m * ldc - 2, kGarbage) {
    for (std::size_t i = 0; i < c.size(); ++i) {
      if (g.accumulate == Accumulate::Add && i % ldc < g.n) c[i] = numbers.uniform(-1, 1);
    }
  }

  std::vector<float> expected(const Bf16Arithmetic& arithmetic) const {
    std::vector<float> result = c;
    for (std::size_t i = 0; i < g.m; ++i) {
      for (std::size_t j = 0; j < g.n; ++j) {
        Steps steps;
        for (std::size_t t = 0; t < g.k; ++t) {
          steps.add(element(a, lda, g.transpose_a, i, t), element(b, ldb, g.transpose_b, t, j));
        }
        steps.end_run(arithmetic.block);
        result[i * ldc + j] = arithmetic.sum(steps, g.accumulate == Accumulate::Add ? c[i * ldc + j] : 0.0F);
      }
    }
    return result;
  }

  void run(const Bf16Kernels& kernels) {
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
    AlignedArray<std::byte> scratch(gemm_bf16_scratch_bytes(kernels, gemm));
    std::memset(scratch.data(), 0xff, scratch.size());  // NaN, should any of it be read
    gemm_bf16(kernels, gemm, scratch.data());
  }
};

void check_gemm(const Bf16Candidate& candidate, const Bf16GemmCase& g, std::uint64_t seed) {
  SCOPED_TRACE(testing::Message() << candidate.name << " m=" << g.m << " n=" << g.n << " k=" << g.k
                                  << " ta=" << (g.transpose_a == Transpose::Yes)
                                  << " tb=" << (g.transpose_b == Transpose::Yes) << " seed=" << seed);
  Numbers numbers(seed);
  Bf16Operands operands(g, numbers);
  const std::vector<float> expected = operands.expected(candidate.arithmetic);
  operands.run(*candidate.kernels);
  EXPECT_EQ(bits_of(operands.c), bits_of(expected));
}

INSTANTIATE_TEST_SUITE_P(Gemm, Bf16Test, testing::ValuesIn(bf16_candidates()),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_P(Bf16Test, EveryRowAndColumnCountAroundTheTiles) {
  for (const std::size_t m : {1, 2, 3, 5, 6, 7, 11, 13, 15, 16, 17, 31, 32, 33, 49}) {
    for (const std::size_t n : {1, 3, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 97})
      check_gemm(GetParam(), {.m = m, .n = n, .k = 5}, m * 1000 + n);
  }
}

TEST_P(Bf16Test, StepCountsAroundPairsBlocksAndChunks) {
  for (const std::size_t k : {1, 2, 3, 31, 32, 33, 61, 63, 64, 65, 127, 131, 1021, 1024, 1025, 2053}) {
    check_gemm(GetParam(), {.m = 9, .n = 50, .k = k}, k);
    check_gemm(GetParam(), {.m = 3, .n = 7, .k = k, .accumulate = Accumulate::Add}, k + 1);
  }
}

TEST_P(Bf16Test, ColumnsAroundTheGroupsOfBlocks) {
  for (const std::size_t n : {128, 200, 257}) check_gemm(GetParam(), {.m = 7, .n = n, .k = 1100}, n);
}

TEST_P(Bf16Test, BothTransposesBothAccumulations) {
  for (const Transpose ta : {Transpose::No, Transpose::Yes}) {
    for (const Transpose tb : {Transpose::No, Transpose::Yes}) {
      for (const Accumulate accumulate : {Accumulate::Overwrite, Accumulate::Add}) {
        for (const std::size_t m : {1, 10, 67}) {
          check_gemm(
              GetParam(),
              {.m = m, .n = 29, .k = 131, .transpose_a = ta, .transpose_b = tb, .accumulate = accumulate}, m);
        }
      }
    }
  }
}

TEST_P(Bf16Test, NoStepsWriteZerosOrKeep) {
  check_gemm(GetParam(), {.m = 3, .n = 20, .k = 0}, 1);
  check_gemm(GetParam(), {.m = 3, .n = 20, .k = 0, .accumulate = Accumulate::Add}, 2);
}

// Ties, carries into the exponent, overflow, denormals, infinities, NaN: one step, so that each shows alone.
TEST_P(Bf16Test, RoundsOperandsToNearestEvenAndKeepsNan) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  std::vector<float> specials{
      0.0F,      -0.0F,           1.0F,          0x1.01p0F, 0x1.03p0F,        0x1.010002p0F, 0x1.feffp0F,
      0x1.ffp0F, 0x1.fefffep127F, 0x1.ffp127F,   0x1p-126F, 0x1.fffffcp-127F, 0x1p-149F,     -0x1p-130F,
      kInfinity, -kInfinity,      std::nanf("1")};
  Numbers numbers(11);
  for (int i = 0; i < 200; ++i)
    specials.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(numbers.next())));
  for (const float other : {1.0F, -1.0F, 0x1p-20F, 0x1p20F}) {
    Bf16Operands operands({.m = specials.size(), .n = 1, .k = 1}, numbers);
    for (std::size_t i = 0; i < specials.size(); ++i) operands.a[i * operands.lda] = specials[i];
    operands.b[0] = other;
    const std::vector<float> expected = operands.expected(arithmetic());
    operands.run(kernels());
    EXPECT_EQ(bits_with_one_nan(operands.c), bits_with_one_nan(expected)) << "times " << other;
  }
}

// Sums that become denormal, overflow, or start there.
TEST_P(Bf16Test, FlushesDenormalSums) {
  Numbers numbers(12);
  for (const float scale : {0x1p-64F, 0x1p-62F, 0x1p-60F, 0x1p63F}) {
    Bf16Operands operands({.m = 40, .n = 37, .k = 9, .accumulate = Accumulate::Add}, numbers);
    for (float& x : operands.a) x *= scale;
    for (float& x : operands.b) x *= scale;
    for (std::size_t i = 0; i < operands.c.size(); ++i) {
      if (i % operands.ldc < operands.g.n) operands.c[i] *= scale * scale;
    }
    const std::vector<float> expected = operands.expected(arithmetic());
    operands.run(kernels());
    EXPECT_EQ(bits_with_one_nan(operands.c), bits_with_one_nan(expected)) << "scale " << scale;
  }
}

TEST(Bf16Select, TakesTheBestThatTheFeaturesHave) {
  EXPECT_EQ(select_bf16(CpuFeatures{}), nullptr);
  const CpuFeatures everything{.isas = (1U << kIsas.size()) - 1};
  for (const KernelInfo& info : registry()) {
    if (info.family != Family::Bf16) continue;
    EXPECT_EQ(kernel_name(*select_bf16(everything.limited_to(info.isa))), info.name);
  }
  EXPECT_EQ(select_bf16(everything.limited_to(Isa::Avx512)), nullptr);
}

}  // namespace
}  // namespace bitplane::kernels
