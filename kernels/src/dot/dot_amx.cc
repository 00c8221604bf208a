// SPDX-License-Identifier: Apache-2.0
#include "dot/amx_tiles.h"
#include "dot/avx512_backend.h"
#include "dot/dot_infos.h"
#include "dot/tile_panel.h"

namespace bitplane::kernels {
namespace {

struct Tiles : AmxTiles {
  template <int kSums, int kPixels, int kWeights>
  static void dot() {
    asm volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSums), "i"(kPixels), "i"(kWeights));
  }
};

}  // namespace

constinit const DotKernels kDotAmx{
    .info = kDotInfos[3],
    .lanes = kTileChannels,
    .register_sizes = {2, 1, 0},
    .segment_steps = kTileSteps,
    .slack_pixels = kTileRows - 1,
    .chunk_bytes = 32 * 1024,
    .formats = {{.element_bytes = 1,
                 .weights = {-128, 127},
                 .activations = {0, 255},
                 .lane_limit = 0,
                 .least_steps = 0,
                 .lane_sums = LaneSums::EndChunks,
                 .run_panel = {run_tile_panel<Tiles, 2>, run_tile_panel<Tiles, 1>},
                 .expand_pixels = expand_pixels<Avx512ByteElements>},
                {},
                {}},
    .expand_weights = expand_weights<Avx512Lanes>,
    .begin = configure_tiles,
    .end = release_tiles,
};

}  // namespace bitplane::kernels
