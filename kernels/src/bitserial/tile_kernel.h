// SPDX-License-Identifier: Apache-2.0
//
// The bit-serial micro-kernel, once for all ISAs. A backend holds `kLanes` output channels in the 64-bit
// lanes of a register; the activation word is broadcast; no horizontal sums. Included by the per-ISA files
// only; everything is local to them, so that no code compiled with -m flags can be linked anywhere else.
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

/// counters += C over words [begin, end) of one plane pair.
template <class B, PairOp kOp, int kRegisters, int kPixels, class AnyCounters>
[[gnu::always_inline]] inline void count_words(AnyCounters& counters, const std::uint64_t* w,
                                               const std::byte* const (&a)[kPixels], std::size_t begin,
                                               std::size_t end) {
  for (std::size_t k = begin; k < end; ++k) {
    typename B::Words weights[kRegisters];
    unroll<0, kRegisters>([&](auto r) __attribute__((always_inline)) {
      weights[r.value] = B::load_words(w + (k * kRegisters + r.value) * B::kLanes);
    });
    unroll<0, kPixels>([&](auto p) __attribute__((always_inline)) {
      const typename B::Words word = B::broadcast_word(load_word(a[p.value] + k * sizeof(std::uint64_t)));
      unroll<0, kRegisters>([&](auto r) __attribute__((always_inline)) {
        B::template count<kOp>(counters.at[r.value][p.value], weights[r.value], word);
      });
    });
  }
}

/// totals += C of one plane pair.
template <class B, PairOp kOp, int kRegisters, int kPixels>
[[gnu::always_inline]] inline void count_pair(const BitTile& tile, const PlaneStep& step,
                                              Totals<B, kRegisters, kPixels>& totals) {
  const std::uint64_t* w =
      tile.weights + std::size_t{step.weight_plane} * tile.words * (kRegisters * B::kLanes);
  const std::byte* a[kPixels];
  unroll<0, kPixels>([&](auto p) __attribute__((always_inline)) {
    a[p.value] = tile.pixels[p.value] + step.activation_plane * tile.plane_stride;
  });
  if constexpr (B::kFlushEvery == 0) {
    count_words<B, kOp, kRegisters, kPixels>(totals, w, a, 0, tile.words);
  } else {
    for (std::size_t begin = 0; begin < tile.words; begin += B::kFlushEvery) {
      const std::size_t left = tile.words - begin;
      const std::size_t end = begin + (left < B::kFlushEvery ? left : B::kFlushEvery);
      Counters<B, kRegisters, kPixels> counters;
      for_tile<kRegisters, kPixels>([&](auto r, auto p) __attribute__((always_inline)) {
        counters.at[r.value][p.value] = B::zero();
      });
      count_words<B, kOp, kRegisters, kPixels>(counters, w, a, begin, end);
      for_tile<kRegisters, kPixels>([&](auto r, auto p) __attribute__((always_inline)) {
        auto& total = totals.at[r.value][p.value];
        total = B::flush(total, counters.at[r.value][p.value]);
      });
    }
  }
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

/// alpha * sum over the steps of a term; the shift of a term with a coefficient is left to finish_term.
template <class B, PairOp kOp, int kRegisters, int kPixels>
[[gnu::always_inline]] inline void count_term(const BitTile& tile, const TermSteps& term,
                                              Totals<B, kRegisters, kPixels>& totals) {
  for_tile<kRegisters, kPixels>([&](auto r, auto p) __attribute__((always_inline)) {
    totals.at[r.value][p.value] = B::zero();
  });
  for (std::uint32_t s = 0; s < term.count; ++s) {
    const PlaneStep step = tile.steps[term.first + s];
    adjust<B>(totals, step.shift, step.negate);
    count_pair<B, kOp>(tile, step, totals);
  }
  adjust<B>(totals, tile.coefficients == nullptr ? term.shift : 0U, term.negate);
}

// From totals to z. A backend's Pair narrows two registers of totals into one of 32-bit integers, which
// halves the work behind the counting; it is used wherever a tile has an even number of registers. The width
// is the same for all terms of a tile, and that matters: z passes through memory from term to term, and a
// load that spans two stores cannot be forwarded from them.

template <class B, int kRegisters>
concept Paired = kRegisters % 2 == 0 && requires {
  typename B::Pair;
};

/// One register at a time, with the operations of the backend itself.
template <class B, int kRegisters>
struct Narrowing {
  using Ops = B;
  static constexpr int kTotals = 1;
  template <int kFirst, int kPixel, class AnyTotals>
  static typename Ops::Ints low_halves(const AnyTotals& totals) {
    return B::low_halves(totals.at[kFirst][kPixel]);
  }
};

template <class B, int kRegisters>
requires Paired<B, kRegisters>
struct Narrowing<B, kRegisters> {
  using Ops = typename B::Pair;
  static constexpr int kTotals = 2;
  template <int kFirst, int kPixel, class AnyTotals>
  static typename Ops::Ints low_halves(const AnyTotals& totals) {
    return Ops::low_halves(totals.at[kFirst][kPixel], totals.at[kFirst + 1][kPixel]);
  }
};

/// What becomes of a term's integers.
enum class Finish : std::uint8_t {
  Integers,   ///< stored as they are
  Convert,    ///< z = float(I): the one term of two uniform sides
  FirstTerm,  ///< z = fma(coefficient, float(I), +0)
  LaterTerm,  ///< z = fma(coefficient, float(I), z)
};

/// Where a whole tile of z or of integers goes: the caller's memory, or a buffer if some channels are
/// padding.
template <class T>
struct Destination {
  T* data = nullptr;
  std::size_t pixel_stride = 0;
};

template <class B, Finish kFinish, int kRegisters, int kPixels, class T>
[[gnu::always_inline]] inline void finish_term(const BitTile& tile, std::size_t term,
                                               const Totals<B, kRegisters, kPixels>& totals,
                                               const Destination<T>& to) {
  using Narrow = Narrowing<B, kRegisters>;
  using Ops = typename Narrow::Ops;
  const std::size_t first = term * tile.stride + tile.first_channel;
  const unsigned shift = tile.terms[term].shift;
  unroll<0, kPixels>([&](auto p) __attribute__((always_inline)) {
    const std::int32_t pixel_term =
        tile.pixel_terms == nullptr ? 0 : tile.pixel_terms[p.value * tile.term_count + term];
    const std::int32_t* channel_terms =
        tile.channel_terms == nullptr ? nullptr : tile.channel_terms[p.value] + first;
    unroll<0, kRegisters / Narrow::kTotals>([&](auto i) __attribute__((always_inline)) {
      constexpr std::size_t kChannel = i.value * Ops::kLanes;
      typename Ops::Ints sum = Narrow::template low_halves<i.value * Narrow::kTotals, p.value>(totals);
      if constexpr (kFinish == Finish::FirstTerm || kFinish == Finish::LaterTerm) {
        sum = Ops::shift_left(sum, shift);
      }
      sum = Ops::add(sum, Ops::broadcast(pixel_term));
      if (channel_terms != nullptr) sum = Ops::add(sum, Ops::load(channel_terms + kChannel));
      T* out = to.data + p.value * to.pixel_stride + kChannel;
      if constexpr (kFinish == Finish::Integers) {
        Ops::store(out, sum);
      } else if constexpr (kFinish == Finish::Convert) {
        Ops::store(out, Ops::to_float(sum));
      } else {
        const auto before = kFinish == Finish::FirstTerm ? Ops::broadcast(0.0F) : Ops::load(out);
        Ops::store(out,
                   Ops::fma(Ops::load(tile.coefficients + first + kChannel), Ops::to_float(sum), before));
      }
    });
  });
}

template <class B, int kRegisters, int kPixels>
[[gnu::always_inline]] inline void add_offsets(const BitTile& tile, const Destination<float>& to) {
  using Ops = typename Narrowing<B, kRegisters>::Ops;
  for (std::size_t p = 0; p < kPixels; ++p) {
    for (std::size_t c = 0; c < kRegisters * B::kLanes; c += Ops::kLanes) {
      float* z = to.data + p * to.pixel_stride + c;
      if (tile.weight_offset != nullptr) {
        const auto offset = Ops::load(tile.weight_offset + tile.first_channel + c);
        Ops::store(z, Ops::fma(offset, Ops::broadcast(tile.activation_sums[p]), Ops::load(z)));
      }
      if (tile.weight_sums != nullptr) {
        const auto sum = Ops::load(tile.weight_sums[p] + tile.first_channel + c);
        Ops::store(z, Ops::fma(Ops::broadcast(tile.activation_offset), sum, Ops::load(z)));
      }
    }
  }
}

/// Both kinds of results; one is wanted.
struct TileOutput {
  Destination<float> z;
  Destination<std::int32_t> integers;
};

template <class B, PairOp kOp, int kRegisters, int kPixels>
[[gnu::always_inline]] inline void run_terms(const BitTile& tile, const TileOutput& to) {
  for (std::size_t term = 0; term < tile.term_count; ++term) {
    Totals<B, kRegisters, kPixels> totals;
    count_term<B, kOp>(tile, tile.terms[term], totals);
    if (tile.z == nullptr) {
      finish_term<B, Finish::Integers>(tile, term, totals, to.integers);
    } else if (tile.coefficients == nullptr) {
      finish_term<B, Finish::Convert>(tile, term, totals, to.z);
    } else if (term == 0) {
      finish_term<B, Finish::FirstTerm>(tile, term, totals, to.z);
    } else {
      finish_term<B, Finish::LaterTerm>(tile, term, totals, to.z);
    }
  }
  if (tile.z != nullptr) add_offsets<B, kRegisters, kPixels>(tile, to.z);
}

template <class T>
void copy_valid_channels(const BitTile& tile, std::size_t pixels, const Destination<T>& from, T* to) {
  for (std::size_t p = 0; p < pixels; ++p) {
    for (std::size_t c = 0; c < tile.channels; ++c)
      to[p * tile.pixel_stride + c] = from.data[p * from.pixel_stride + c];
  }
}

template <class B, PairOp kOp, int kRegisters, int kPixels>
void run_tile(const BitTile& tile) noexcept {
  constexpr std::size_t kChannels = kRegisters * B::kLanes;
  alignas(64) float z[kPixels * kChannels];
  alignas(64) std::int32_t integers[kPixels * kChannels];
  const bool whole = tile.channels == kChannels;
  const TileOutput to = whole ? TileOutput{{tile.z, tile.pixel_stride}, {tile.integers, tile.pixel_stride}}
                              : TileOutput{{z, kChannels}, {integers, kChannels}};
  run_terms<B, kOp, kRegisters, kPixels>(tile, to);
  if (whole) return;
  if (tile.z != nullptr) {
    copy_valid_channels(tile, kPixels, to.z, tile.z);
  } else {
    copy_valid_channels(tile, kPixels, to.integers, tile.integers);
  }
}

template <class B>
void count_planes(const std::byte* pixel, std::size_t plane_stride, std::size_t planes, std::size_t words,
                  std::int32_t* counts) noexcept {
  for (std::size_t plane = 0; plane < planes; ++plane) {
    std::uint64_t count = 0;
    for (std::size_t k = 0; k < words; ++k) {
      count += B::popcount(load_word(pixel + plane * plane_stride + k * sizeof(std::uint64_t)));
    }
    counts[plane] = static_cast<std::int32_t>(count);
  }
}

}  // namespace
}  // namespace bitplane::kernels
