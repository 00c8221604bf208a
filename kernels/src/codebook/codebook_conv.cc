// SPDX-License-Identifier: Apache-2.0
//
// Blocks of indices are expanded into panels in the caller's scratch, through which all rows of the product
// pass before the next block: the expansion is shared by the rows. A single tile of rows (a linear layer)
// shares nothing, so its blocks are of a size that stays in the L1 cache between being written and being
// read.
#include <algorithm>
#include <cassert>
#include <cstdint>

#include "bitplane/kernels/codebook.h"

namespace bitplane::kernels {
namespace {

struct BlockSize {
  std::size_t steps, panels;
};

/// Half of a small L2 cache, as in gather_tile.h.
constexpr BlockSize kManyRows{.steps = 512, .panels = 8};
/// 16 KiB.
constexpr BlockSize kFewRows{.steps = 64, .panels = 4};
constexpr std::size_t kFew = 6;

constexpr std::size_t kBlockFloats =
    std::max(kManyRows.steps * kManyRows.panels, kFewRows.steps* kFewRows.panels) * kF32PanelWidth;

/// The scratch of the float convolution, then the block, 64-byte aligned.
std::size_t block_offset(const F32Conv& conv) {
  return (conv.scratch_floats() + 15) / 16 * 16;
}

struct Product {
  const CodebookKernels& kernels;
  const CodebookWeights& weights;
  std::size_t group;
  float* block;  ///< kBlockFloats
};

/// One block of steps by one block of panels.
void run_block(const Product& p, GatherGemm gemm, std::size_t first_step, std::size_t first_panel,
               BlockSize size) {
  for (std::size_t i = 0; i < size.panels; ++i) {
    CodebookPanel panel = p.weights.panel(p.group, first_panel + i, first_step, size.steps);
    panel.out = p.block + i * size.steps * kF32PanelWidth;
    p.kernels.expand(panel);
  }
  const std::size_t first_column = first_panel * kF32PanelWidth;
  gemm.step_offset += first_step;
  gemm.steps = size.steps;
  gemm.b = p.block;
  gemm.b_row_stride = kF32PanelWidth;
  gemm.b_panel_stride = size.steps * kF32PanelWidth;
  gemm.columns = std::min(gemm.columns - first_column, size.panels * kF32PanelWidth);
  gemm.c += first_column;
  gemm.accumulate = first_step == 0 ? Accumulate::Overwrite : Accumulate::Add;
  p.kernels.f32->gather_gemm(gemm);
}

/// `gemm` lacks only its right operand.
void run_product(const Product& p, const GatherGemm& gemm) {
  CodebookRow row = p.weights.row(p.group);
  const MultiplyCodebookRow multiply = gemm.rows == 1 ? p.kernels.row_form(row.panel) : nullptr;
  if (multiply != nullptr) {
    row.a = gemm.a + gemm.row_offset[0];
    row.step_offset = gemm.step_offset;
    row.c = gemm.c;
    multiply(row);
    return;
  }
  const BlockSize most = gemm.rows <= kFew ? kFewRows : kManyRows;
  const std::size_t panels = (gemm.columns + kF32PanelWidth - 1) / kF32PanelWidth;
  for (std::size_t panel = 0; panel < panels; panel += most.panels) {
    for (std::size_t step = 0; step < gemm.steps; step += most.steps) {
      run_block(p, gemm, step, panel,
                {std::min(most.steps, gemm.steps - step), std::min(most.panels, panels - panel)});
    }
  }
}

}  // namespace

std::size_t CodebookConv::scratch_floats() const noexcept {
  return block_offset(conv_) + kBlockFloats;
}

void CodebookConv::forward(const CodebookKernels& kernels, const float* x, const CodebookWeights& weights,
                           float* z, RowRange rows, float* scratch) const noexcept {
  assert(weights.k() == shape().filter_size() && weights.groups() == shape().groups);
  assert(reinterpret_cast<std::uintptr_t>(scratch) % 64 == 0);
  const std::size_t in_channels = shape().channels / shape().groups, out_channels = weights.group_channels();
  while (rows.begin < rows.end) {
    const F32Conv::PictureRows part = conv_.picture_rows(x, rows, scratch);
    for (std::size_t group = 0; group < weights.groups(); ++group) {
      GatherGemm gemm = part.gemm;
      gemm.a += group * in_channels;
      gemm.c = z + group * out_channels;
      run_product({kernels, weights, group, scratch + block_offset(conv_)}, gemm);
    }
    z += part.rows * shape().out_width() * shape().out_channels;
    rows.begin += part.rows;
  }
}

}  // namespace bitplane::kernels
