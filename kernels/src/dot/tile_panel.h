// SPDX-License-Identifier: Apache-2.0
//
// The micro-kernel of family `dot` on tiles of 16 rows of 64 bytes, over a small vocabulary T so that its
// logic can be tested where there are no tiles:
//
//   T::load<tile>(p, stride)   rows at p + row * stride
//   T::store<tile>(p, stride)
//   T::dot<sums, pixels, weights>()
//       sums[p][c] += sum over s < 16, b < 4 of pixels[p][4 s + b] * weights[s][4 c + b], u8 times s8
//
// Pixels are rows of 64 bytes of a window, read where they lie if the windows of 16 pixels have equal
// distances (inside one output row they do), else copied side by side, 64 bytes of each at a time. Weights
// [step][register][channel][4 bytes] are tiles as they are: 16 steps of 16 channels. The sums of a block of
// two registers and 32 pixels take four tiles: four products for four loads.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dot/panel.h"
#include "isa_unroll.h"

namespace bitplane::kernels {
namespace {

inline constexpr std::size_t kTileRows = 16, kTileRowBytes = 64, kTileSteps = kTileRowBytes / kStepBytes;
inline constexpr std::size_t kTileChannels = kTileRowBytes / sizeof(std::int32_t), kTileGroups = 2;

/// Sums, then pixels, then weights.
constexpr int sums_tile(std::size_t group, std::size_t reg) {
  return static_cast<int>(group * kTileGroups + reg);
}
constexpr int pixels_tile(std::size_t group) {
  return static_cast<int>(4 + group);
}
constexpr int weights_tile(std::size_t reg) {
  return static_cast<int>(6 + reg);
}

/// 16 windows; where there are fewer, the last one stands in for the rest and its sums are dropped.
struct TilePixels {
  const std::byte* rows[kTileRows];
  std::size_t count = 0;   ///< valid ones
  std::size_t stride = 0;  ///< between all neighbours; 0: they differ

  void set(const std::byte* const* pixels, std::size_t valid) {
    count = valid;
    for (std::size_t i = 0; i < kTileRows; ++i) rows[i] = pixels[i < valid ? i : valid - 1];
    stride = static_cast<std::size_t>(rows[1] - rows[0]);
    for (std::size_t i = 2; i < kTileRows; ++i) {
      if (static_cast<std::size_t>(rows[i] - rows[i - 1]) != stride) stride = 0;
    }
  }
};

template <class T, std::size_t kGroup>
[[gnu::always_inline]] inline void load_pixels(const TilePixels& pixels, std::size_t offset) {
  if (pixels.stride != 0)
    return T::template load<pixels_tile(kGroup)>(pixels.rows[0] + offset, pixels.stride);
  alignas(64) std::byte side_by_side[kTileRows * kTileRowBytes];
  for (std::size_t i = 0; i < kTileRows; ++i) {
    __builtin_memcpy(side_by_side + i * kTileRowBytes, pixels.rows[i] + offset, kTileRowBytes);
  }
  T::template load<pixels_tile(kGroup)>(side_by_side, kTileRowBytes);
}

/// The results of one tile of sums: `count` pixels from `out` on, `channels` of them valid.
struct TileOutput {
  std::byte* out = nullptr;
  std::size_t stride = 0, count = 0, channels = 0;
  [[nodiscard]] bool whole() const { return count == kTileRows && channels == kTileChannels; }
};

template <class T, int kTile>
[[gnu::always_inline]] inline void start_sums(const std::int32_t* start, const TileOutput& to) {
  if (start != nullptr) return T::template load<kTile>(reinterpret_cast<const std::byte*>(start), 0);
  if (to.whole()) return T::template load<kTile>(to.out, to.stride);
  alignas(64) std::byte sums[kTileRows * kTileRowBytes] = {};
  for (std::size_t p = 0; p < to.count; ++p) {
    __builtin_memcpy(sums + p * kTileRowBytes, to.out + p * to.stride, to.channels * sizeof(std::int32_t));
  }
  T::template load<kTile>(sums, kTileRowBytes);
}

template <class T, int kTile>
[[gnu::always_inline]] inline void finish_sums(DotFinish finish, const TileOutput& to) {
  if (finish == DotFinish::Integers && to.whole()) return T::template store<kTile>(to.out, to.stride);
  alignas(64) std::int32_t sums[kTileRows * kTileChannels];
  T::template store<kTile>(reinterpret_cast<std::byte*>(sums), kTileRowBytes);
  for (std::size_t p = 0; p < to.count; ++p) {
    const std::int32_t* row = sums + p * kTileChannels;
    std::byte* out = to.out + p * to.stride;
    if (finish == DotFinish::Integers) {
      __builtin_memcpy(out, row, to.channels * sizeof(std::int32_t));
    } else {
      alignas(64) float z[kTileChannels];
      for (std::size_t c = 0; c < kTileChannels; ++c) z[c] = static_cast<float>(row[c]);
      __builtin_memcpy(out, z, to.channels * sizeof(float));
    }
  }
}

/// kGroups * 16 pixels from `first` on, of which some of the last group may be missing.
template <class T, std::size_t kRegisters, std::size_t kGroups>
void run_tiles(const DotPanel& panel, std::size_t first) noexcept {
  TilePixels pixels[kGroups];
  const auto output = [&](std::size_t group, std::size_t reg) {
    const std::size_t channel = reg * kTileChannels, left = panel.channels - channel;
    return TileOutput{
        .out = panel.out + (first + group * kTileRows) * panel.out_stride + channel * sizeof(std::int32_t),
        .stride = panel.out_stride,
        .count = pixels[group].count,
        .channels = left < kTileChannels ? left : kTileChannels};
  };
  unroll<kGroups>([&](auto g) {
    const std::size_t at = first + g * kTileRows, left = panel.pixel_count - at;
    pixels[g].set(panel.pixels + at, left < kTileRows ? left : kTileRows);
    unroll<kRegisters>([&](auto r) {
      const std::int32_t* start = panel.start == nullptr ? nullptr : panel.start + r * kTileChannels;
      start_sums<T, sums_tile(g, r)>(start, output(g, r));
    });
  });
  const std::byte* weights = panel.weights;
  for (std::size_t s = 0; s < panel.segment_count; ++s) {
    const DotSegment& segment = panel.segments[s];
    for (std::size_t step = 0; step < segment.steps; step += kTileSteps) {
      unroll<kRegisters>([&](auto r) {
        T::template load<weights_tile(r)>(weights + r * kTileRowBytes, kRegisters * kTileRowBytes);
      });
      weights += kTileSteps * kRegisters * kTileRowBytes;
      unroll<kGroups>([&](auto g) {
        load_pixels<T, g>(pixels[g], segment.offset + step * kStepBytes);
        unroll<kRegisters>(
            [&](auto r) { T::template dot<sums_tile(g, r), pixels_tile(g), weights_tile(r)>(); });
      });
    }
  }
  unroll<kGroups>([&](auto g) {
    unroll<kRegisters>([&](auto r) { finish_sums<T, sums_tile(g, r)>(panel.finish, output(g, r)); });
  });
}

/// Segments are whole numbers of kTileSteps.
template <class T, std::size_t kRegisters>
void run_tile_panel(const DotPanel& panel) noexcept {
  std::size_t first = 0;
  for (; first + kTileRows < panel.pixel_count; first += kTileGroups * kTileRows) {
    run_tiles<T, kRegisters, kTileGroups>(panel, first);
  }
  if (first < panel.pixel_count) run_tiles<T, kRegisters, 1>(panel, first);
}

}  // namespace
}  // namespace bitplane::kernels
