// SPDX-License-Identifier: Apache-2.0
//
// What surrounds the micro-kernel: selection, packing of the right operand, GEMM by offset tables.
#include "bitplane/kernels/f32.h"

#include <algorithm>
#include <cassert>

#include "f32/f32_kernels.h"

namespace bitplane::kernels {
namespace {

/// Best first.
constexpr const F32Kernels* kTables[] = {
#ifdef BITPLANE_HAVE_AVX512
    &kF32Avx512,
#endif
#ifdef BITPLANE_HAVE_AVX2
    &kF32Avx2,
#endif
#ifdef BITPLANE_HAVE_NEON
    &kF32Neon,
#endif
    &kF32Scalar,
};

constexpr std::size_t panel_count(std::size_t n) {
  return (n + kF32PanelWidth - 1) / kF32PanelWidth;
}

/// Panel `panel` of a right operand of k steps and n columns, to `to`.
void pack_panel(const F32PanelSource& source, std::size_t k, std::size_t n, std::size_t panel, float* to) {
  const std::size_t first = panel * kF32PanelWidth;
  const std::size_t columns = std::min(kF32PanelWidth, n - first);
  const float* from = source.data + first * source.column_stride;
  // Step after step, also where the source is contiguous along the steps: column after column took twice as
  // long.
  for (std::size_t t = 0; t < k; ++t, from += source.step_stride, to += kF32PanelWidth) {
    for (std::size_t j = 0; j < columns; ++j) to[j] = from[j * source.column_stride];
    std::fill(to + columns, to + kF32PanelWidth, 0.0F);
  }
}

constexpr std::size_t round_up_64(std::size_t bytes) {
  return (bytes + 63) / 64 * 64;
}

std::size_t offset_bytes(std::size_t count) {
  return round_up_64(count * sizeof(std::ptrdiff_t));
}

}  // namespace

const F32Kernels& select_f32(CpuFeatures features) noexcept {
  for (const F32Kernels* table : kTables) {
    if (features.has(table->isa)) return *table;
  }
  return kF32Scalar;
}

F32Panels::F32Panels(std::size_t k, std::size_t n)
    : k_(k), n_(n), data_(panel_count(n) * k * kF32PanelWidth) {}

void pack_f32_panels(const float* source, std::size_t step_stride, std::size_t column_stride,
                     F32Panels& panels) noexcept {
  for (std::size_t panel = 0; panel < panel_count(panels.n()); ++panel)
    pack_f32_panel({source, step_stride, column_stride}, panel, panels);
}

void pack_f32_panel(const F32PanelSource& source, std::size_t panel, F32Panels& panels) noexcept {
  pack_panel(source, panels.k(), panels.n(), panel, panels.data() + panel * kF32PanelWidth * panels.k());
}

std::size_t gemm_f32_scratch_bytes(const F32Gemm& gemm) noexcept {
  const std::size_t panels =
      gemm.transpose_b == Transpose::Yes ? panel_count(gemm.n) * gemm.k * kF32PanelWidth * sizeof(float) : 0;
  return offset_bytes(gemm.m) + offset_bytes(gemm.k) + panels;
}

void gemm_f32(const F32Kernels& kernels, const F32Gemm& gemm, std::byte* scratch) noexcept {
  assert(reinterpret_cast<std::uintptr_t>(scratch) % 64 == 0);
  auto* rows = reinterpret_cast<std::ptrdiff_t*>(scratch);
  auto* steps = reinterpret_cast<std::ptrdiff_t*>(scratch + offset_bytes(gemm.m));
  auto* panels = reinterpret_cast<float*>(scratch + offset_bytes(gemm.m) + offset_bytes(gemm.k));
  const bool transposed = gemm.transpose_a == Transpose::Yes;
  const std::size_t row_stride = transposed ? 1 : gemm.lda, step_stride = transposed ? gemm.lda : 1;
  for (std::size_t r = 0; r < gemm.m; ++r) rows[r] = static_cast<std::ptrdiff_t>(r * row_stride);
  for (std::size_t t = 0; t < gemm.k; ++t) steps[t] = static_cast<std::ptrdiff_t>(t * step_stride);

  GatherGemm gather{.a = gemm.a,
                    .row_offset = rows,
                    .rows = gemm.m,
                    .step_offset = steps,
                    .steps = gemm.k,
                    .b = gemm.b,
                    .b_row_stride = gemm.ldb,
                    .b_panel_stride = kF32PanelWidth,
                    .columns = gemm.n,
                    .c = gemm.c,
                    .c_row_stride = gemm.ldc,
                    .accumulate = gemm.accumulate};
  // Row-major b is read in place: packing it first lost on every shape tried (64 x 576 x 3136: 34 GMAC/s
  // against 52; 1024 x 1024 x 1024: 45 against 48).
  if (gemm.transpose_b == Transpose::Yes) {
    for (std::size_t panel = 0; panel < panel_count(gemm.n); ++panel) {
      pack_panel({gemm.b, 1, gemm.ldb}, gemm.k, gemm.n, panel, panels + panel * kF32PanelWidth * gemm.k);
    }
    gather.b = panels;
    gather.b_row_stride = kF32PanelWidth;
    gather.b_panel_stride = gemm.k * kF32PanelWidth;
  }
  kernels.gather_gemm(gather);
}

}  // namespace bitplane::kernels
