// SPDX-License-Identifier: Apache-2.0
//
// The first half of the bit-serial micro-kernel: the sums of a term over its plane pairs, counted into the
// registers of a tile. The operations of a backend B: see tile_kernel.h, which alone includes this file.
//
// Prefetching the weights of a matrix-vector product by instruction, 1 to 4 KB ahead, took 10 to 25 % longer
// on Zen 4 than leaving it to the hardware.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bitserial/tile.h"

namespace bitplane::kernels {
namespace {

template <int kValue>
struct Index {
  static constexpr int value = kValue;
};

// GCC keeps an array of accumulators in registers only if every index is a constant: loops over the tile are
// unrolled by the template, not left to the optimizer.
template <int kBegin, int kEnd, class F>
[[gnu::always_inline]] inline void unroll(F&& f) {
  if constexpr (kBegin < kEnd) {
    f(Index<kBegin>{});
    unroll<kBegin + 1, kEnd>(f);
  }
}

[[gnu::always_inline]] inline std::uint64_t load_word(const std::byte* p) {
  std::uint64_t word;
  __builtin_memcpy(&word, p, sizeof(word));
  return word;
}

template <class B, int kRegisters, int kPixels>
struct Totals {
  typename B::Total at[kRegisters][kPixels];
};

/// Narrow counters of a backend whose totals are not counted into directly.
template <class B, int kRegisters, int kPixels>
struct Counters {
  typename B::Counter at[kRegisters][kPixels];
};

/// Calls f(Index<register>, Index<pixel>) for the whole tile, unrolled.
template <int kRegisters, int kPixels, class F>
[[gnu::always_inline]] inline void for_tile(F f) {
  unroll<0, kRegisters * kPixels>([&](auto i) __attribute__((always_inline)) {
    f(Index<i.value % kRegisters>{}, Index<i.value / kRegisters>{});
  });
}

template <class B, int kRegisters, int kPixels>
[[gnu::always_inline]] inline void set_zero(Totals<B, kRegisters, kPixels>& totals) {
  for_tile<kRegisters, kPixels>([&](auto r, auto p) __attribute__((always_inline)) {
    totals.at[r.value][p.value] = B::zero();
  });
}

/// How the weights of a call lie in memory: as packed, or split for a backend that counts halves of bytes
/// (Split: two registers for each packed one), once for all tiles of the call.
enum class Weights : std::uint8_t { Packed, Split };

/// Keeps narrow counters where they are: GCC 12 moves those of AVX2 to the stack and back in each word.
template <class B, int kRegisters, int kPixels, class AnyCounters>
[[gnu::always_inline]] inline void keep_counters(AnyCounters& counters) {
  if constexpr (requires { B::keep(counters.at[0][0]); }) {
    for_tile<kRegisters, kPixels>([&](auto r, auto p) __attribute__((always_inline)) {
      B::keep(counters.at[r.value][p.value]);
    });
  }
}

/// How the words of a window lie. One pixel at a time, the table of offsets costs 5 to 10 %; in a tile
/// nothing.
enum class WindowWords : std::uint8_t { SideBySide, AtOffsets };

/// The operands of one plane pair: a plane of the weights, and of each pixel.
template <int kPixels, WindowWords kWords = WindowWords::AtOffsets>
struct PlanePair {
  [[gnu::always_inline]] std::size_t offset(std::size_t k) const {
    return kWords == WindowWords::AtOffsets ? word_offsets[k] : k * sizeof(std::uint64_t);
  }

  const std::uint64_t* weights;
  const std::byte* pixels[kPixels];
  const std::size_t* word_offsets;
  std::size_t words;
};

/// counters += C over words [begin, end) of one plane pair.
template <class B, PairOp kOp, Weights kWeights, int kRegisters, int kPixels, WindowWords kWords,
          class AnyCounters>
[[gnu::always_inline]] inline void count_words(AnyCounters& counters, const PlanePair<kPixels, kWords>& of,
                                               std::size_t begin, std::size_t end) {
  const std::uint64_t* const w = of.weights;
  for (std::size_t k = begin; k < end; ++k) {
    const std::size_t offset = of.offset(k);
    if constexpr (kWeights == Weights::Split) {
      unroll<0, kPixels>([&](auto p) __attribute__((always_inline)) {
        const auto halves =
            B::template halves<kOp>(B::broadcast_word(load_word(of.pixels[p.value] + offset)));
        unroll<0, kRegisters>([&](auto r) __attribute__((always_inline)) {
          B::template count_split<kOp>(counters.at[r.value][p.value],
                                       w + (k * kRegisters + r.value) * 2 * B::kLanes, halves);
        });
      });
      keep_counters<B, kRegisters, kPixels>(counters);
      continue;
    }
    typename B::Words weights[kRegisters];
    unroll<0, kRegisters>([&](auto r) __attribute__((always_inline)) {
      weights[r.value] = B::load_words(w + (k * kRegisters + r.value) * B::kLanes);
    });
    unroll<0, kPixels>([&](auto p) __attribute__((always_inline)) {
      const typename B::Words word = B::broadcast_word(load_word(of.pixels[p.value] + offset));
      unroll<0, kRegisters>([&](auto r) __attribute__((always_inline)) {
        B::template count<kOp>(counters.at[r.value][p.value], weights[r.value], word);
      });
    });
    keep_counters<B, kRegisters, kPixels>(counters);
  }
}

/// What the totals hold before a plane pair is counted into them.
enum class Before : std::uint8_t { Nothing, Sum };

/// totals (+)= C of one plane pair, through narrow counters where the backend has such.
template <class B, PairOp kOp, Before kBefore, Weights kWeights, int kRegisters, int kPixels,
          WindowWords kWords>
[[gnu::always_inline]] inline void count_flushed(Totals<B, kRegisters, kPixels>& totals,
                                                 const PlanePair<kPixels, kWords>& of) {
  if constexpr (B::kFlushEvery == 0) {
    if constexpr (kBefore == Before::Nothing) {
      set_zero<B>(totals);
      // The additions to zero fold away: 1 % at 9 words.
      count_words<B, kOp, kWeights, kRegisters, kPixels>(totals, of, 0, 1);
      count_words<B, kOp, kWeights, kRegisters, kPixels>(totals, of, 1, of.words);
      return;
    }
    count_words<B, kOp, kWeights, kRegisters, kPixels>(totals, of, 0, of.words);
  } else {
    const auto count_run = [&](std::size_t begin, auto&& take) __attribute__((always_inline)) {
      const std::size_t left = of.words - begin;
      const std::size_t end = begin + (left < B::kFlushEvery ? left : B::kFlushEvery);
      Counters<B, kRegisters, kPixels> counters;
      for_tile<kRegisters, kPixels>([&](auto r, auto p) __attribute__((always_inline)) {
        counters.at[r.value][p.value] = B::zero();
      });
      count_words<B, kOp, kWeights, kRegisters, kPixels>(counters, of, begin, end);
      for_tile<kRegisters, kPixels>([&](auto r, auto p) __attribute__((always_inline)) {
        take(r, p, counters.at[r.value][p.value]);
      });
    };
    std::size_t begin = 0;
    if constexpr (kBefore == Before::Nothing) {
      const auto set = [&](auto r, auto p, typename B::Counter counter) __attribute__((always_inline)) {
        totals.at[r.value][p.value] = B::flush(B::zero(), counter);
      };
      count_run(0, set);
      begin = B::kFlushEvery;
    }
    for (; begin < of.words; begin += B::kFlushEvery) {
      Totals<B, kRegisters, kPixels> parked = totals;
      // Totals and counters of small tiles fit: parking took 5 % longer there.
      if constexpr (kRegisters * kPixels >= 8 && requires { B::park(parked.at[0][0]); }) {
        for_tile<kRegisters, kPixels>([&](auto r, auto p) __attribute__((always_inline)) {
          B::park(parked.at[r.value][p.value]);
        });
      }
      const auto add = [&](auto r, auto p, typename B::Counter counter) __attribute__((always_inline)) {
        totals.at[r.value][p.value] = B::flush(parked.at[r.value][p.value], counter);
      };
      count_run(begin, add);
    }
  }
}

/// The same for a step of the schedule and the windows of a tile.
template <class B, PairOp kOp, Before kBefore, Weights kWeights, int kRegisters, int kPixels>
[[gnu::always_inline]] inline void count_pair(const BitTile& tile, const std::byte* const* pixels,
                                              const PlaneStep& step, Totals<B, kRegisters, kPixels>& totals) {
  constexpr std::size_t kWordSize = kRegisters * B::kLanes * (kWeights == Weights::Split ? 2 : 1);
  PlanePair<kPixels> of{.weights = tile.weights + std::size_t{step.weight_plane} * tile.words * kWordSize,
                        .pixels = {},
                        .word_offsets = tile.word_offsets,
                        .words = tile.words};
  unroll<0, kPixels>([&](auto p) __attribute__((always_inline)) {
    of.pixels[p.value] = pixels[p.value] + step.activation_plane * tile.plane_stride;
  });
  count_flushed<B, kOp, kBefore, kWeights, kRegisters, kPixels>(totals, of);
}

template <class B, int kRegisters, int kPixels>
[[gnu::always_inline]] inline void adjust(Totals<B, kRegisters, kPixels>& totals, unsigned shift,
                                          bool negate) {
  if (negate) {
    for_tile<kRegisters, kPixels>([&](auto r, auto p) __attribute__((always_inline)) {
      totals.at[r.value][p.value] = B::negate(totals.at[r.value][p.value]);
    });
  }
  if (shift != 0) {
    for_tile<kRegisters, kPixels>([&](auto r, auto p) __attribute__((always_inline)) {
      totals.at[r.value][p.value] = B::shift_left(totals.at[r.value][p.value], shift);
    });
  }
}

/// alpha * sum over the steps of a term, but for the last shift, which is left to term_sum.
template <class B, PairOp kOp, Weights kWeights, int kRegisters, int kPixels>
[[gnu::always_inline]] inline void count_term(const BitTile& tile, const std::byte* const* pixels,
                                              const TermSteps& term, Totals<B, kRegisters, kPixels>& totals) {
  if (term.count == 0) {
    set_zero<B>(totals);
    return;
  }
  count_pair<B, kOp, Before::Nothing, kWeights>(tile, pixels, tile.steps[term.first], totals);
  for (std::uint32_t s = 1; s < term.count; ++s) {
    const PlaneStep step = tile.steps[term.first + s];
    adjust<B>(totals, step.shift, step.negate);
    count_pair<B, kOp, Before::Sum, kWeights>(tile, pixels, step, totals);
  }
  adjust<B>(totals, 0, term.negate);
}

}  // namespace
}  // namespace bitplane::kernels
