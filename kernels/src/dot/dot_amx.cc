// SPDX-License-Identifier: Apache-2.0
//
// The tile instructions are assembly: the intrinsics of GCC 12 paste the tile's number from the source text,
// which a template argument is not.
#include "dot/avx512_backend.h"
#include "dot/dot_infos.h"
#include "dot/tile_panel.h"

namespace bitplane::kernels {
namespace {

struct Tiles {
  template <int kTile>
  static void load(const std::byte* p, std::size_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(p), "r"(stride), "i"(kTile) : "memory");
  }
  template <int kTile>
  static void store(std::byte* p, std::size_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(p), "r"(stride), "i"(kTile) : "memory");
  }
  template <int kSums, int kPixels, int kWeights>
  static void dot() {
    asm volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSums), "i"(kPixels), "i"(kWeights));
  }
};

/// What LDTILECFG reads: palette 1, all eight tiles of 16 rows of 64 bytes.
struct alignas(64) TileConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfig) == 64);
constexpr TileConfig kTileConfig;

void configure_tiles() noexcept {
  asm volatile("ldtilecfg %0" : : "m"(kTileConfig));
}
void release_tiles() noexcept {
  asm volatile("tilerelease");
}

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
