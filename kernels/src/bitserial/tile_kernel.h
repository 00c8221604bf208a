// SPDX-License-Identifier: Apache-2.0
//
// The bit-serial micro-kernel, once for all ISAs: counting (count.h), finishing (finish.h), and the tiles of
// a call (here). Included by the per-ISA files only; everything is local to them, so that no code compiled
// with -m flags can be linked anywhere else.
//
// A backend B holds kLanes output channels, a 64-bit word of each, in its Words; the activation word is
// broadcast; no horizontal sums. Its operations:
//
//   Words      load_words, broadcast_word, popcount (of one word)
//   Total      zero, negate, shift_left; count<op>(Total, w, a) if kFlushEvery is 0, else
//   Counter    count<op>(Counter, w, a), flush(Total, Counter) after at most kFlushEvery words
//   Ints       (int32 per channel) low_halves(Total), load, store, broadcast, add, subtract, negate,
//   shift_left Floats     (float per channel) to_float, load, store, broadcast, fma
//
// and those that a backend may have:
//
//   Pair       Ints and Floats of twice the width with the same operations, low_halves(Total, Total)
//   split, halves<op>, count_split<op>   weights split beforehand: see Splitting
//   keep(Counter), park(Total)           hints to the compiler: stay in a register, wait in memory
#pragma once

#include <cstddef>
#include <cstdint>

#include "bitserial/count.h"
#include "bitserial/finish.h"
#include "bitserial/tile.h"

namespace bitplane::kernels {
namespace {

template <class B, int kRegisters>
concept Paired = kRegisters % 2 == 0 && requires {
  typename B::Pair;
};

template <class B, int kRegisters>
struct FinishingOps {
  using Type = B;
};
template <class B, int kRegisters>
requires Paired<B, kRegisters>
struct FinishingOps<B, kRegisters> {
  using Type = typename B::Pair;
};

/// What finishes a tile.
template <class B, int kRegisters, int kPixels>
using Finish = TileFinish<typename FinishingOps<B, kRegisters>::Type,
                          static_cast<std::size_t>(Paired<B, kRegisters> ? kRegisters / 2 : kRegisters),
                          static_cast<std::size_t>(kPixels)>;

/// A backend's Pair narrows two registers of totals into one.
template <class B, int kRegisters, int kPixels>
[[gnu::always_inline]] inline typename Finish<B, kRegisters, kPixels>::Ints narrow(
    const Totals<B, kRegisters, kPixels>& totals) {
  typename Finish<B, kRegisters, kPixels>::Ints ints;
  for_tile<kRegisters, kPixels>([&](auto r, auto p) __attribute__((always_inline)) {
    if constexpr (!Paired<B, kRegisters>) {
      ints.at[r.value][p.value] = B::low_halves(totals.at[r.value][p.value]);
    } else if constexpr (r.value % 2 == 0) {
      ints.at[r.value / 2][p.value] =
          B::Pair::low_halves(totals.at[r.value][p.value], totals.at[r.value + 1][p.value]);
    }
  });
  return ints;
}

/// counts[i]: the set bits of planes[i], for several planes side by side: scalar popcounts, while the vector
/// units still work on the tile before. A pass of vector popcounts over a whole strip took 4 ns per plane and
/// pixel on Zen 4, most of it waiting for windows (9 words) that nobody had read before.
template <class B, std::size_t kCount>
[[gnu::always_inline]] inline void count_planes_of(const std::size_t* word_offsets, std::size_t words,
                                                   const std::byte* const* planes, std::uint64_t* counts) {
  const std::byte* from[kCount];
  std::uint64_t sums[kCount] = {};
  unroll<kCount>([&](auto i) __attribute__((always_inline)) { from[i] = planes[i]; });
  for (std::size_t k = 0; k < words; ++k) {
    const std::size_t offset = word_offsets[k];
    unroll<kCount>([&](auto i) __attribute__((always_inline)) {
      sums[i] += B::popcount(load_word(from[i] + offset));
    });
  }
  unroll<kCount>([&](auto i) __attribute__((always_inline)) { counts[i] = sums[i]; });
}

/// The pixel terms of kPixels pixels from `pixel` on: sum_j factor_j S_j, modulo 2^32.
template <class B, std::size_t kPixels>
[[gnu::noinline]] void write_pixel_terms(const BitTile& tile, std::size_t pixel) noexcept {
  constexpr std::size_t kAtOnce = kPixels % 3 == 0 ? 3 : kPixels;  // more sums and pointers than registers
  std::int32_t* terms = tile.pixel_terms + pixel * tile.term_count;
  for (std::size_t j = 0; j < tile.activation_planes; ++j) {
    const std::byte* planes[kPixels];
    std::uint64_t counts[kPixels];
    for (std::size_t p = 0; p < kPixels; ++p) planes[p] = tile.pixels[pixel + p] + j * tile.plane_stride;
    unroll<kPixels / kAtOnce>([&](auto i) __attribute__((always_inline)) {
      count_planes_of<B, kAtOnce>(tile.word_offsets, tile.words, planes + i * kAtOnce, counts + i * kAtOnce);
    });
    for (std::size_t t = 0; t < tile.term_count; ++t) {
      const auto factor = static_cast<std::uint32_t>(tile.pixel_factors[t * tile.activation_planes + j]);
      for (std::size_t p = 0; p < kPixels; ++p) {
        std::int32_t& term = terms[p * tile.term_count + t];
        const std::uint32_t before = j == 0 ? 0U : static_cast<std::uint32_t>(term);
        term = static_cast<std::int32_t>(before + factor * static_cast<std::uint32_t>(counts[p]));
      }
    }
  }
}

template <class B, PairOp kOp, Weights kWeights, int kRegisters, int kPixels>
[[gnu::always_inline]] inline void run_tiles(const BitTile& tile) {
  using Finishing = Finish<B, kRegisters, kPixels>;
  // The first term writes it before any other reads it, which GCC 12 for ARM does not see.
  typename Finishing::Chain chain = {};
  for (std::size_t i = 0; i < tile.tiles; ++i) {
    const std::byte* const* pixels = tile.pixels + i * kPixels;
    if (tile.pixel_factors != nullptr) write_pixel_terms<B, kPixels>(tile, i * kPixels);
    Finishing::expect(tile, i * kPixels);
    for (std::size_t t = 0; t < tile.term_count; ++t) {
      Totals<B, kRegisters, kPixels> totals;
      count_term<B, kOp, kWeights, kRegisters, kPixels>(tile, pixels, tile.terms[t], totals);
      Finishing::take(tile, i * kPixels, t, narrow<B>(totals), chain);
    }
  }
}

/// Backends that count halves of bytes by look-up save the splitting of the weights' half of each pair.
template <class B>
concept Splitting = requires(std::uint64_t* to, typename B::Words words) {
  B::split(to, words);
};

inline constexpr std::size_t kSplitWords = 2048;  ///< 16 KB: half of a first-level cache

template <class B, PairOp kOp, int kRegisters, int kPixels>
void run_tile(const BitTile& tile) noexcept {
  if constexpr (Splitting<B>) {
    const std::size_t size = tile.weight_planes * tile.words * kRegisters * B::kLanes;
    if (2 * size <= kSplitWords && tile.tiles > 1) {
      alignas(64) std::uint64_t split[kSplitWords];
      for (std::size_t at = 0; at < size; at += B::kLanes) {
        B::split(split + 2 * at, B::load_words(tile.weights + at));
      }
      BitTile with_split = tile;
      with_split.weights = split;
      return run_tiles<B, kOp, Weights::Split, kRegisters, kPixels>(with_split);
    }
  }
  run_tiles<B, kOp, Weights::Packed, kRegisters, kPixels>(tile);
}

/// counts[j][channel] of one weight plane against kPlanes activation planes of one pixel.
template <class B, PairOp kOp, WindowWords kWords, int kRegisters, int kPlanes>
[[gnu::always_inline]] inline void count_vector(const BitTile& tile, const std::uint64_t* weights,
                                                const std::byte* plane, std::int32_t* counts) {
  PlanePair<kPlanes, kWords> of{
      .weights = weights, .pixels = {}, .word_offsets = tile.word_offsets, .words = tile.words};
  unroll<0, kPlanes>([&](auto j) __attribute__((always_inline)) {
    of.pixels[j.value] = plane + j.value * tile.plane_stride;
  });
  Totals<B, kRegisters, kPlanes> totals;
  count_flushed<B, kOp, Before::Nothing, Weights::Packed, kRegisters, kPlanes>(totals, of);
  const auto ints = narrow<B>(totals);
  using Ops = typename FinishingOps<B, kRegisters>::Type;
  unroll<0, kPlanes>([&](auto j) __attribute__((always_inline)) {
    unroll<0, kRegisters * B::kLanes / Ops::kLanes>([&](auto v) __attribute__((always_inline)) {
      Ops::store(counts + j.value * kRegisters * B::kLanes + v.value * Ops::kLanes,
                 ints.at[v.value][j.value]);
    });
  });
}

/// One pixel at a time: its planes take the places of the pixels of a tile, so that every word of the weights
/// is loaded once, in the order of memory, and serves all of them. The sums of plane pairs are combined
/// afterwards, by the same steps as totals are.
template <class B, PairOp kOp, WindowWords kWords, int kRegisters>
[[gnu::always_inline]] inline void run_pixels(const BitTile& tile) {
  using Ops = typename FinishingOps<B, kRegisters>::Type;
  constexpr std::size_t kChannels = kRegisters * B::kLanes;
  alignas(64) std::int32_t counts[kMaxPlanes * kMaxActivationPlanes * kChannels];
  typename Finish<B, kRegisters, 1>::Chain chain;
  for (std::size_t pixel = 0; pixel < tile.tiles; ++pixel) {
    if (tile.pixel_factors != nullptr) write_pixel_terms<B, 1>(tile, pixel);
    for (std::size_t i = 0; i < tile.weight_planes; ++i) {
      const std::uint64_t* weights = tile.weights + i * tile.words * kChannels;
      const std::byte* plane = tile.pixels[pixel];
      std::int32_t* to = counts + i * kMaxActivationPlanes * kChannels;
      std::size_t left = tile.activation_planes;
      for (; left >= 4; left -= 4, plane += 4 * tile.plane_stride, to += 4 * kChannels) {
        count_vector<B, kOp, kWords, kRegisters, 4>(tile, weights, plane, to);
      }
      for (; left >= 2; left -= 2, plane += 2 * tile.plane_stride, to += 2 * kChannels) {
        count_vector<B, kOp, kWords, kRegisters, 2>(tile, weights, plane, to);
      }
      if (left != 0) count_vector<B, kOp, kWords, kRegisters, 1>(tile, weights, plane, to);
    }
    for (std::size_t t = 0; t < tile.term_count; ++t) {
      const auto sums = combine_counts<Ops, kChannels / Ops::kLanes>(tile, tile.terms[t], counts);
      Finish<B, kRegisters, 1>::take(tile, pixel, t, sums, chain);
    }
  }
}

template <class B, PairOp kOp, int kRegisters>
void run_vector(const BitTile& tile) noexcept {
  if (tile.words_side_by_side) return run_pixels<B, kOp, WindowWords::SideBySide, kRegisters>(tile);
  run_pixels<B, kOp, WindowWords::AtOffsets, kRegisters>(tile);
}

template <class B>
void count_planes(const PlaneCountArgs& args, std::int32_t* counts) noexcept {
  for (std::size_t p = 0; p < args.count; ++p) {
    const std::byte* plane = args.pixels[p];
    for (std::size_t j = 0; j < args.planes; ++j, plane += args.plane_stride) {
      std::uint64_t count = 0;
      count_planes_of<B, 1>(args.word_offsets, args.words, &plane, &count);
      *counts++ = static_cast<std::int32_t>(count);
    }
  }
}

}  // namespace
}  // namespace bitplane::kernels
