// SPDX-License-Identifier: Apache-2.0
#include "bf16/bf16_infos.h"
#include "bf16/bf16_kernels.h"
#include "bf16/round_rows.h"
#include "dot/amx_tiles.h"
#include "dot/tile_panel.h"

namespace bitplane::kernels {
namespace {

struct Bf16Tiles : AmxTiles {
  template <int kSums, int kRows, int kColumns>
  static void dot() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSums), "i"(kRows), "i"(kColumns));
  }
};

}  // namespace

// A chunk of a block of columns takes 32 KiB and stays in L1, while rows stream from L2.
constinit const Bf16Kernels kBf16Amx{
    .info = kBf16Infos[1],
    .registers = kTileGroups,
    .segment_steps = kTileSteps,
    .slack_rows = kTileRows - 1,
    .chunk_steps = 256,
    .row_block = kMaxBf16Rows,
    .run_panel = {run_tile_panel<Bf16Tiles, 1>, run_tile_panel<Bf16Tiles, 2>, nullptr, nullptr},
    .round_row = round_row,
    .pair_rows = pair_rows,
    .transpose = transpose,
    .begin = configure_tiles,
    .end = release_tiles,
};

}  // namespace bitplane::kernels
