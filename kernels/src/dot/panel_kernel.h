// SPDX-License-Identifier: Apache-2.0
//
// The micro-kernel of family `dot`, once for all ISAs. A backend B holds output channels in the 32-bit lanes
// of a register; four bytes of a pixel are broadcast to all lanes; no horizontal sums. Included by the
// per-ISA files only; everything is local to them, so that no code compiled with -m flags can be linked
// anywhere else.
//
//   B::kLanes                              channels of a register
//   B::tiles(registers)                    tiles of pixels for a block of so many registers
//   B::Weights, B::Pixels                  operands;  load_weights(p), load_pixels(p)
//   B::Counter                             zero(), add(counter, pixels, weights), sums(counter) -> Ints
//   B::Ints                                load(p, n), add, store(p, x, n), store_floats(p, x, n): n <=
//   kLanes
#pragma once

#include <cstddef>
#include <cstdint>

#include "dot/panel.h"
#include "isa_unroll.h"

namespace bitplane::kernels {
namespace {

/// Numbers of pixels of the tiles, descending to 1.
struct DotTiles {
  std::size_t count, at[5];
};

template <class B, std::size_t kRegisters, std::size_t kPixels>
struct DotCounters {
  typename B::Counter at[kRegisters * kPixels];
};

/// The steps of one segment; returns where the weights of the next one start.
template <class B, std::size_t kRegisters, std::size_t kPixels>
[[gnu::always_inline]] inline const std::byte* add_segment(const std::byte* const* pixels,
                                                           const DotSegment& segment,
                                                           const std::byte* weights,
                                                           DotCounters<B, kRegisters, kPixels>& counters) {
  constexpr std::size_t kVectorBytes = B::kLanes * kStepBytes;
  const std::byte* a[kPixels];
  unroll<kPixels>([&](auto p) __attribute__((always_inline)) { a[p] = pixels[p] + segment.offset; });
  const std::size_t bytes = segment.steps * kStepBytes;
  for (std::size_t k = 0; k < bytes; k += kStepBytes) {
    typename B::Weights w[kRegisters];
    unroll<kRegisters>([&](auto r) __attribute__((always_inline)) {
      w[r] = B::load_weights(weights + r * kVectorBytes);
    });
    unroll<kPixels>([&](auto p) __attribute__((always_inline)) {
      const typename B::Pixels x = B::load_pixels(a[p] + k);
      unroll<kRegisters>([&](auto r) __attribute__((always_inline)) {
        B::add(counters.at[p * kRegisters + r], x, w[r]);
        // Where registers are scarce, GCC 12 otherwise loads all pixels first and keeps counters in memory.
        if constexpr (B::kScarceRegisters) asm("" : "+x"(counters.at[p * kRegisters + r]));
      });
    });
    weights += kRegisters * kVectorBytes;
  }
  return weights;
}

/// Sums of a tile before what `start` says.
template <class B, std::size_t kRegisters, std::size_t kPixels>
struct DotSums {
  typename B::Ints at[kRegisters * kPixels];
};

template <class B, std::size_t kRegisters, std::size_t kPixels>
[[gnu::always_inline]] inline void finish_tile(const DotPanel& panel, std::size_t first,
                                               const DotSums<B, kRegisters, kPixels>& sums) {
  unroll<kPixels>([&](auto p) __attribute__((always_inline)) {
    std::byte* out = panel.out + (first + p) * panel.out_stride;
    unroll<kRegisters>([&](auto r) __attribute__((always_inline)) {
      constexpr std::size_t kChannel = r * B::kLanes;
      if (kChannel >= panel.channels) return;
      const std::size_t left = panel.channels - kChannel, count = left < B::kLanes ? left : B::kLanes;
      std::byte* to = out + kChannel * sizeof(std::int32_t);
      const auto start = panel.start == nullptr
                             ? B::load(to, count)
                             : B::load(reinterpret_cast<const std::byte*>(panel.start + kChannel), B::kLanes);
      const auto sum = B::add(start, sums.at[p * kRegisters + r]);
      if (panel.finish == DotFinish::Floats) {
        B::store_floats(to, sum, count);
      } else {
        B::store(to, sum, count);
      }
    });
  });
}

template <class B, std::size_t kRegisters, std::size_t kPixels>
[[gnu::always_inline]] inline void clear(DotCounters<B, kRegisters, kPixels>& counters) {
  unroll<kRegisters * kPixels>([&](auto i) __attribute__((always_inline)) { counters.at[i] = B::zero(); });
}

template <class B, std::size_t kRegisters, std::size_t kPixels>
void run_dot_tile(const DotPanel& panel, std::size_t first) noexcept {
  DotCounters<B, kRegisters, kPixels> counters;
  clear<B>(counters);
  const std::byte* weights = panel.weights;
  for (std::size_t s = 0; s < panel.segment_count; ++s) {
    weights = add_segment<B, kRegisters, kPixels>(panel.pixels + first, panel.segments[s], weights, counters);
  }
  DotSums<B, kRegisters, kPixels> sums;
  unroll<kRegisters * kPixels>([&](auto i)
                                   __attribute__((always_inline)) { sums.at[i] = B::sums(counters.at[i]); });
  finish_tile<B, kRegisters, kPixels>(panel, first, sums);
}

/// The steps of one segment, whose sums are added to `sums`. A function of its own: inlined into the loop
/// over segments, GCC 12 keeps the sums in registers and the counters of the inner loop in memory.
template <class B, std::size_t kRegisters, std::size_t kPixels>
[[gnu::noinline]] const std::byte* widen_segment(const std::byte* const* pixels, const DotSegment& segment,
                                                 const std::byte* weights,
                                                 DotSums<B, kRegisters, kPixels>& sums) {
  DotCounters<B, kRegisters, kPixels> counters;
  clear<B>(counters);
  weights = add_segment<B, kRegisters, kPixels>(pixels, segment, weights, counters);
  unroll<kRegisters * kPixels>([&](auto i) __attribute__((always_inline)) {
    sums.at[i] = B::add(sums.at[i], B::sums(counters.at[i]));
  });
  return weights;
}

/// run_dot_tile for lanes that must be emptied every lane_steps steps.
template <class B, std::size_t kRegisters, std::size_t kPixels>
void run_widening_tile(const DotPanel& panel, std::size_t first) noexcept {
  DotSums<B, kRegisters, kPixels> sums{};
  const std::byte* weights = panel.weights;
  for (std::size_t s = 0; s < panel.segment_count; ++s) {
    const DotSegment& segment = panel.segments[s];
    for (std::size_t step = 0; step < segment.steps; step += panel.lane_steps) {
      const std::size_t left = segment.steps - step;
      const DotSegment part{segment.offset + step * kStepBytes,
                            left < panel.lane_steps ? left : panel.lane_steps};
      weights = widen_segment<B, kRegisters, kPixels>(panel.pixels + first, part, weights, sums);
    }
  }
  finish_tile<B, kRegisters, kPixels>(panel, first, sums);
}

template <class B, std::size_t kRegisters, LaneSums kLaneSums = LaneSums::EndChunks>
void run_dot_panel(const DotPanel& panel) noexcept {
  std::size_t first = 0;
  constexpr DotTiles kTiles = B::tiles(kRegisters);
  unroll<kTiles.count>([&](auto size) __attribute__((always_inline)) {
    constexpr std::size_t kPixels = kTiles.at[size];
    for (; first + kPixels <= panel.pixel_count; first += kPixels) {
      if constexpr (kLaneSums == LaneSums::Widen) {
        run_widening_tile<B, kRegisters, kPixels>(panel, first);
      } else {
        run_dot_tile<B, kRegisters, kPixels>(panel, first);
      }
    }
  });
}

}  // namespace
}  // namespace bitplane::kernels
