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
// Pixels are rows of 64 bytes of a window, read where they lie: 16 windows of equal distances. The windows of
// an output row have them, and mostly go on with the next output row after some windows that straddle the
// padding, whose sums are dropped (rows of 7 pixels with padding 1: 14 of 16 are wanted). Where too few are
// wanted (strides), 64 bytes of each are copied side by side at a time. Weights
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
/// Fewer wanted rows than these in a tile waste more products than copying costs.
inline constexpr std::size_t kLeastTilePixels = 12;
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

/// Windows in the rows of a tile.
struct TilePixels {
  const std::byte* first = nullptr;
  std::size_t stride = 0;          ///< from row to row
  std::size_t count = 0;           ///< wanted ones
  std::uint8_t row_of[kTileRows];  ///< [wanted one], ascending
  /// Not null: the rows are no equal distances apart, but here.
  const std::byte* const* scattered = nullptr;

  /// Takes as many of `available` pixels as one tile holds; all its rows are read, up to `slack` bytes behind
  /// the last window.
  void take(const std::byte* const* pixels, std::size_t available, std::size_t slack) {
    const std::size_t most = available < kTileRows ? available : kTileRows;
    first = pixels[0];
    stride = most == 1 ? 0 : static_cast<std::size_t>(pixels[1] - pixels[0]);
    scattered = nullptr;
    row_of[0] = 0;
    for (count = 1; count < most; ++count) {
      const auto distance = static_cast<std::size_t>(pixels[count] - first);
      if (distance >= kTileRows * stride || distance % stride != 0) break;
      row_of[count] = static_cast<std::uint8_t>(distance / stride);
    }
    const bool enough = count == most || count >= kLeastTilePixels;
    if (enough && (count == kTileRows || (kTileRows - 1) * stride <= slack)) return;
    scattered = pixels;
    for (count = 0; count < most; ++count) row_of[count] = static_cast<std::uint8_t>(count);
  }
};

template <class T, std::size_t kGroup>
[[gnu::always_inline]] inline void load_pixels(const TilePixels& pixels, std::size_t offset) {
  if (pixels.scattered == nullptr)
    return T::template load<pixels_tile(kGroup)>(pixels.first + offset, pixels.stride);
  alignas(64) std::byte side_by_side[kTileRows * kTileRowBytes] = {};
  for (std::size_t i = 0; i < pixels.count; ++i) {
    __builtin_memcpy(side_by_side + i * kTileRowBytes, pixels.scattered[i] + offset, kTileRowBytes);
  }
  T::template load<pixels_tile(kGroup)>(side_by_side, kTileRowBytes);
}

/// Where the sums of one tile go: a row of `out` for each wanted pixel, `channels` of them valid.
struct TileOutput {
  const TilePixels& pixels;
  std::byte* out = nullptr;
  std::size_t stride = 0, channels = 0;
  [[nodiscard]] bool whole() const { return pixels.count == kTileRows && channels == kTileChannels; }
};

template <class T, int kTile>
[[gnu::always_inline]] inline void start_sums(const std::int32_t* start, const TileOutput& to) {
  if (start != nullptr) return T::template load<kTile>(reinterpret_cast<const std::byte*>(start), 0);
  if (to.whole()) return T::template load<kTile>(to.out, to.stride);
  alignas(64) std::byte sums[kTileRows * kTileRowBytes] = {};
  for (std::size_t p = 0; p < to.pixels.count; ++p) {
    __builtin_memcpy(sums + to.pixels.row_of[p] * kTileRowBytes, to.out + p * to.stride,
                     to.channels * sizeof(std::int32_t));
  }
  T::template load<kTile>(sums, kTileRowBytes);
}

template <class T, int kTile>
[[gnu::always_inline]] inline void finish_sums(DotFinish finish, const TileOutput& to) {
  if (finish == DotFinish::Integers && to.whole()) return T::template store<kTile>(to.out, to.stride);
  alignas(64) std::int32_t sums[kTileRows * kTileChannels];
  T::template store<kTile>(reinterpret_cast<std::byte*>(sums), kTileRowBytes);
  for (std::size_t p = 0; p < to.pixels.count; ++p) {
    const std::int32_t* row = sums + to.pixels.row_of[p] * kTileChannels;
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

/// Up to kGroups tiles of pixels from `first` on; returns how many pixels they were.
template <class T, std::size_t kRegisters, std::size_t kGroups>
std::size_t run_tiles(const DotPanel& panel, std::size_t first) noexcept {
  TilePixels pixels[kGroups];
  std::byte* out[kGroups];
  std::size_t taken = 0;
  const auto output = [&](std::size_t group, std::size_t reg) {
    const std::size_t channel = reg * kTileChannels, left = panel.channels - channel;
    return TileOutput{.pixels = pixels[group],
                      .out = out[group] + channel * sizeof(std::int32_t),
                      .stride = panel.out_stride,
                      .channels = left < kTileChannels ? left : kTileChannels};
  };
  unroll<kGroups>([&](auto g) {
    const std::size_t at = first + taken;
    out[g] = panel.out + at * panel.out_stride;
    if (at < panel.pixel_count) {
      pixels[g].take(panel.pixels + at, panel.pixel_count - at, panel.slack);
    } else {
      pixels[g].first = panel.pixels[first];  // any: nothing of it is wanted
    }
    taken += pixels[g].count;
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
  return taken;
}

/// Segments are whole numbers of kTileSteps.
template <class T, std::size_t kRegisters>
void run_tile_panel(const DotPanel& panel) noexcept {
  std::size_t first = 0;
  while (first + kTileRows < panel.pixel_count) first += run_tiles<T, kRegisters, kTileGroups>(panel, first);
  while (first < panel.pixel_count) first += run_tiles<T, kRegisters, 1>(panel, first);
}

}  // namespace
}  // namespace bitplane::kernels
