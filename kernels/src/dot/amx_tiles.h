// SPDX-License-Identifier: Apache-2.0
//
// The tile instructions that all families share. Included by the per-ISA files only. They are assembly: the
// intrinsics of GCC 12 paste the tile's number from the source text, which a template argument is not.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitplane::kernels {
namespace {

struct AmxTiles {
  template <int kTile>
  static void load(const std::byte* p, std::size_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(p), "r"(stride), "i"(kTile) : "memory");
  }
  template <int kTile>
  static void store(std::byte* p, std::size_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(p), "r"(stride), "i"(kTile) : "memory");
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

inline void configure_tiles() noexcept {
  asm volatile("ldtilecfg %0" : : "m"(kTileConfig));
}
inline void release_tiles() noexcept {
  asm volatile("tilerelease");
}

}  // namespace
}  // namespace bitplane::kernels
