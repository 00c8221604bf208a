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

/// total += C over words [begin, end) of one plane pair.
template <class B, PairOp kOp, int kRegisters, int kPixels, class Counters>
[[gnu::always_inline]] inline void count_words(Counters& counters, const std::uint64_t* w,
                                               const std::byte* const (&a)[kPixels], std::size_t begin,
                                               std::size_t end) {
  for (std::size_t k = begin; k < end; ++k) {
    typename B::Words weights[kRegisters];
    unroll<0, kRegisters>([&](auto r) __attribute__((always_inline)) {
      weights[r.value] = B::load(w + (k * kRegisters + r.value) * B::kLanes);
    });
    unroll<0, kPixels>([&](auto p) __attribute__((always_inline)) {
      const typename B::Words word = B::broadcast(load_word(a[p.value] + k * sizeof(std::uint64_t)));
      unroll<0, kRegisters>([&](auto r) __attribute__((always_inline)) {
        B::template count<kOp>(counters.at[r.value][p.value], weights[r.value], word);
      });
    });
  }
}

template <class B, int kRegisters, int kPixels>
struct ByteCounters {
  typename B::Counter at[kRegisters][kPixels];
};

/// The integer sums of one term, without its pixel and channel terms: sums[pixel][channel of the tile].
template <class B, PairOp kOp, int kRegisters, int kPixels>
[[gnu::always_inline]] inline void count_term(const BitTile& tile, const TermSteps& term,
                                              std::int32_t (&sums)[kPixels][kRegisters * B::kLanes]) {
  Totals<B, kRegisters, kPixels> totals;
  const auto adjust = [&](unsigned shift, bool negate) __attribute__((always_inline)) {
    if (negate) {
      unroll<0, kRegisters * kPixels>([&](auto i) __attribute__((always_inline)) {
        auto& total = totals.at[i.value / kPixels][i.value % kPixels];
        total = B::negate(total);
      });
    }
    if (shift != 0) {
      unroll<0, kRegisters * kPixels>([&](auto i) __attribute__((always_inline)) {
        auto& total = totals.at[i.value / kPixels][i.value % kPixels];
        total = B::shift_left(total, shift);
      });
    }
  };
  unroll<0, kRegisters * kPixels>([&](auto i) __attribute__((always_inline)) {
    totals.at[i.value / kPixels][i.value % kPixels] = B::zero();
  });
  for (std::uint32_t s = 0; s < term.count; ++s) {
    const PlaneStep step = tile.steps[term.first + s];
    adjust(step.shift, step.negate);
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
        ByteCounters<B, kRegisters, kPixels> counters;
        unroll<0, kRegisters * kPixels>([&](auto i) __attribute__((always_inline)) {
          counters.at[i.value / kPixels][i.value % kPixels] = B::zero();
        });
        count_words<B, kOp, kRegisters, kPixels>(counters, w, a, begin,
                                                 begin + (left < B::kFlushEvery ? left : B::kFlushEvery));
        unroll<0, kRegisters * kPixels>([&](auto i) __attribute__((always_inline)) {
          auto& total = totals.at[i.value / kPixels][i.value % kPixels];
          total = B::flush(total, counters.at[i.value / kPixels][i.value % kPixels]);
        });
      }
    }
  }
  adjust(term.shift, term.negate);
  unroll<0, kRegisters * kPixels>([&](auto i) __attribute__((always_inline)) {
    constexpr int kR = i.value / kPixels, kP = i.value % kPixels;
    B::store_low(&sums[kP][kR * B::kLanes], totals.at[kR][kP]);
  });
}

// The rest is plain loops of constant length over channels, which the compiler vectorizes. Unsigned: modulo
// 2^32.

[[gnu::always_inline]] inline std::int32_t add_wrapping(std::int32_t a, std::int32_t b) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b));
}

template <int kPixels, int kChannels>
[[gnu::always_inline]] inline void add_terms(const BitTile& tile, std::size_t term,
                                             std::int32_t (&sums)[kPixels][kChannels]) {
  if (tile.pixel_terms != nullptr) {
    for (int p = 0; p < kPixels; ++p) {
      const std::int32_t value = tile.pixel_terms[static_cast<std::size_t>(p) * tile.term_count + term];
      for (int c = 0; c < kChannels; ++c) sums[p][c] = add_wrapping(sums[p][c], value);
    }
  }
  if (tile.channel_terms != nullptr) {
    for (int p = 0; p < kPixels; ++p) {
      const std::int32_t* values = tile.channel_terms[p] + term * tile.stride + tile.first_channel;
      for (int c = 0; c < kChannels; ++c) sums[p][c] = add_wrapping(sums[p][c], values[c]);
    }
  }
}

template <int kPixels, int kChannels>
[[gnu::always_inline]] inline void accumulate(const BitTile& tile, std::size_t term,
                                              const std::int32_t (&sums)[kPixels][kChannels],
                                              float (&z)[kPixels][kChannels]) {
  if (tile.coefficients == nullptr) {
    for (int p = 0; p < kPixels; ++p) {
      for (int c = 0; c < kChannels; ++c) z[p][c] = static_cast<float>(sums[p][c]);
    }
    return;
  }
  const float* coefficients = tile.coefficients + term * tile.stride + tile.first_channel;
  for (int p = 0; p < kPixels; ++p) {
    for (int c = 0; c < kChannels; ++c) {
      z[p][c] = __builtin_fmaf(coefficients[c], static_cast<float>(sums[p][c]), z[p][c]);
    }
  }
}

template <int kPixels, int kChannels>
[[gnu::always_inline]] inline void add_offsets(const BitTile& tile, float (&z)[kPixels][kChannels]) {
  if (tile.weight_offset != nullptr) {
    const float* offset = tile.weight_offset + tile.first_channel;
    for (int p = 0; p < kPixels; ++p) {
      for (int c = 0; c < kChannels; ++c)
        z[p][c] = __builtin_fmaf(offset[c], tile.activation_sums[p], z[p][c]);
    }
  }
  if (tile.weight_sums != nullptr) {
    for (int p = 0; p < kPixels; ++p) {
      const float* sums = tile.weight_sums[p] + tile.first_channel;
      for (int c = 0; c < kChannels; ++c) z[p][c] = __builtin_fmaf(tile.activation_offset, sums[c], z[p][c]);
    }
  }
}

template <int kPixels, int kChannels, class T>
[[gnu::always_inline]] inline void store_tile(const T (&values)[kPixels][kChannels], std::size_t channels,
                                              T* out, std::size_t pixel_stride) {
  for (int p = 0; p < kPixels; ++p) {
    T* pixel = out + static_cast<std::size_t>(p) * pixel_stride;
    if (channels == kChannels) {
      __builtin_memcpy(pixel, values[p], sizeof(values[p]));
    } else {
      for (std::size_t c = 0; c < channels; ++c) pixel[c] = values[p][c];
    }
  }
}

template <class B, PairOp kOp, int kRegisters, int kPixels>
void run_tile(const BitTile& tile) noexcept {
  constexpr int kChannels = kRegisters * B::kLanes;
  alignas(64) std::int32_t sums[kPixels][kChannels];
  if (tile.z == nullptr) {
    count_term<B, kOp, kRegisters, kPixels>(tile, tile.terms[0], sums);
    add_terms(tile, 0, sums);
    store_tile(sums, tile.channels, tile.integers, tile.pixel_stride);
    return;
  }
  alignas(64) float z[kPixels][kChannels] = {};
  for (std::size_t term = 0; term < tile.term_count; ++term) {
    count_term<B, kOp, kRegisters, kPixels>(tile, tile.terms[term], sums);
    add_terms(tile, term, sums);
    accumulate(tile, term, sums, z);
  }
  add_offsets(tile, z);
  store_tile(z, tile.channels, tile.z, tile.pixel_stride);
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
