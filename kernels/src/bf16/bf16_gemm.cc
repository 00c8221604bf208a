// SPDX-License-Identifier: Apache-2.0
//
// Selection, and GEMM on operands that are packed as a whole.
#include <algorithm>
#include <cassert>
#include <cstring>

#include "bf16/product.h"

namespace bitplane::kernels {
namespace {

/// Best first.
constexpr const Bf16Kernels* kTables[] = {
#ifdef BITPLANE_HAVE_AMX
    &kBf16Amx,
#endif
#ifdef BITPLANE_HAVE_AVX512BF16
    &kBf16Avx512Bf16,
#endif
    nullptr,
};

constexpr std::size_t round_up_64(std::size_t bytes) {
  return (bytes + 63) / 64 * 64;
}

/// Where things lie in a GEMM's scratch, in bytes.
struct GemmScratch {
  Bf16Runs runs;
  std::size_t row_bytes, slack, rows, segments, right, end;

  GemmScratch(const Bf16Kernels& kernels, const F32Gemm& gemm) : runs{1, gemm.k} {
    row_bytes = runs.steps(kernels) * kStepBytes;
    slack = kernels.slack_rows * row_bytes;
    rows = round_up_64(gemm.m * row_bytes + slack + kDotSlack);
    segments = rows + round_up_64(gemm.m * sizeof(std::ptrdiff_t));
    right = segments + round_up_64(runs.most_segments(kernels) * sizeof(DotSegment));
    end = right + packed_right_bytes(kernels, runs, gemm.n);
  }
};

void pack_left(const Bf16Kernels& kernels, const F32Gemm& gemm, std::size_t row_bytes, std::byte* to) {
  if (gemm.transpose_a == Transpose::Yes) {
    const float* rows[kBf16TransposeRows];
    const std::size_t elements = row_bytes / kBf16Bytes;
    for (std::size_t t = 0; t < elements; t += kBf16TransposeRows) {
      const std::size_t part = std::min(kBf16TransposeRows, elements - t);
      for (std::size_t i = 0; i < part; ++i) rows[i] = t + i < gemm.k ? gemm.a + (t + i) * gemm.lda : nullptr;
      kernels.transpose(rows, part, gemm.m, to + t * kBf16Bytes, row_bytes);
    }
    return;
  }
  for (std::size_t r = 0; r < gemm.m; ++r, to += row_bytes) {
    kernels.round_row(gemm.a + r * gemm.lda, gemm.k, reinterpret_cast<std::uint16_t*>(to));
    std::memset(to + gemm.k * kBf16Bytes, 0, row_bytes - gemm.k * kBf16Bytes);
  }
}

}  // namespace

const Bf16Kernels* select_bf16(CpuFeatures features) noexcept {
  for (const Bf16Kernels* table : kTables) {
    if (table != nullptr && features.has(table->info.isa)) return table;
  }
  return nullptr;
}

std::string_view kernel_name(const Bf16Kernels& kernels) noexcept {
  return kernels.info.name;
}

std::size_t gemm_bf16_scratch_bytes(const Bf16Kernels& kernels, const F32Gemm& gemm) noexcept {
  return GemmScratch(kernels, gemm).end;
}

void gemm_bf16(const Bf16Kernels& kernels, const F32Gemm& gemm, std::byte* scratch) noexcept {
  assert(reinterpret_cast<std::uintptr_t>(scratch) % 64 == 0);
  const GemmScratch at(kernels, gemm);
  auto* rows = reinterpret_cast<std::ptrdiff_t*>(scratch + at.rows);
  auto* segments = reinterpret_cast<DotSegment*>(scratch + at.segments);
  for (std::size_t r = 0; r < gemm.m; ++r) rows[r] = static_cast<std::ptrdiff_t>(r * at.row_bytes);
  pack_left(kernels, gemm, at.row_bytes, scratch);
  const Bf16Order order = gemm.transpose_b == Transpose::Yes ? Bf16Order::ColumnMajor : Bf16Order::StepMajor;
  pack_right(kernels, at.runs, {.data = gemm.b, .leading = gemm.ldb, .columns = gemm.n, .order = order},
             scratch + at.right);
  run_product(kernels, {.a = scratch,
                        .row_offset = rows,
                        .rows = gemm.m,
                        .slack = at.slack,
                        .segments = segments,
                        .segment_count = cut_runs(kernels, at.runs, nullptr, segments),
                        .runs = at.runs,
                        .b = scratch + at.right,
                        .columns = gemm.n,
                        .c = gemm.c,
                        .c_row_stride = gemm.ldc,
                        .accumulate = gemm.accumulate});
}

}  // namespace bitplane::kernels
