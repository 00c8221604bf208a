// SPDX-License-Identifier: Apache-2.0
//
// The second half of the bit-serial micro-kernel: from the sums of a tile's term, still in registers, to
// integers or z in memory. Stage by stage over the whole tile, each stage a branch that all tiles of a call
// take the same way. Only the chain of a learned basis with several terms passes through memory, once per
// term: while the next one is counted, counters fill the registers. Included by tile_kernel.h only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bitplane/kernels/planes.h"
#include "bitserial/tile.h"
#include "isa_unroll.h"

namespace bitplane::kernels {
namespace {

/// Ops: integers and floats of a backend, or of its Pair.
template <class Ops, std::size_t kVectors, std::size_t kPixels>
class TileFinish {
 public:
  static constexpr std::size_t kChannels = kVectors * Ops::kLanes;
  /// One value per channel and pixel, in vectors of some channels.
  struct Ints {
    typename Ops::Ints at[kVectors][kPixels];
  };
  /// z between the terms of a chain: [pixel][channel].
  struct Chain {
    alignas(64) float z[kPixels * kChannels];
  };

  /// Asks for the lines that the pixels from `pixel` on will be written to, where a vector is a line: a
  /// product of 1024^3, 1/1, takes 14 % less with outputs beyond the second-level cache. On AVX2 the tiles
  /// take so long that the misses hide anyway, and the instructions cost up to 4 %.
  [[gnu::always_inline]] static void expect(const BitTile& tile, std::size_t pixel) {
    if constexpr (Ops::kLanes * sizeof(float) < 64) return;
    const void* out = tile.integers != nullptr ? static_cast<const void*>(tile.integers) : tile.z;
    if (out == nullptr) return;
    const auto* to = static_cast<const float*>(out) + pixel * tile.pixel_stride;
    for_all([&](auto v, auto p) __attribute__((always_inline)) {
      __builtin_prefetch(to + p * tile.pixel_stride + v * Ops::kLanes, 1);
    });
  }

  /// Term `term` of the pixels from `pixel` on: `ints` is its sum but for its last shift. Terms come in
  /// order.
  [[gnu::always_inline]] static void take(const BitTile& tile, std::size_t pixel, std::size_t term, Ints ints,
                                          Chain& chain) {
    correct(tile, pixel, term, ints);
    if (tile.integers != nullptr) return write(tile, pixel, tile.integers, ints);
    if constexpr (kCompares) {
      if (tile.passed.integer_thresholds != nullptr) return compare(tile.passed, pixel, ints);
    }
    Floats floats;
    for_all([&](auto v, auto p)
                __attribute__((always_inline)) { floats.at[v][p] = Ops::to_float(ints.at[v][p]); });
    if (tile.coefficients != nullptr) {
      continue_chain(tile, term, chain, floats);
      if (term + 1 != tile.term_count) return;
    }
    add_offsets(tile, pixel, floats);
    if (tile.scale != nullptr) {
      const float *scale = tile.scale + tile.first_channel, *shift = tile.shift + tile.first_channel;
      for_all([&](auto v, auto p) __attribute__((always_inline)) {
        floats.at[v][p] =
            Ops::fma(floats.at[v][p], Ops::load(scale + v * Ops::kLanes), Ops::load(shift + v * Ops::kLanes));
      });
    }
    if constexpr (kCompares) {
      if (tile.passed.bits != nullptr) return compare(tile.passed, pixel, floats);
    }
    write(tile, pixel, tile.z, floats);
  }

 private:
  static constexpr bool kCompares = requires { typename Ops::Mask; };

  struct Floats {
    typename Ops::Floats at[kVectors][kPixels];
  };

  /// f(vector, pixel), compile-time constants.
  template <class F>
  [[gnu::always_inline]] static void for_all(F f) {
    unroll<kPixels>([&](auto p) __attribute__((always_inline)) {
      unroll<kVectors>([&](auto v) __attribute__((always_inline)) { f(v, p); });
    });
  }

  /// From what was counted to I.
  [[gnu::always_inline]] static void correct(const BitTile& tile, std::size_t pixel, std::size_t term,
                                             Ints& ints) {
    if (const unsigned shift = tile.terms[term].shift;
        shift == 1) {  // bipolar x unsigned; cheaper than a shift
      for_all([&](auto v, auto p)
                  __attribute__((always_inline)) { ints.at[v][p] = Ops::add(ints.at[v][p], ints.at[v][p]); });
    } else if (shift != 0) {
      for_all([&](auto v, auto p)
                  __attribute__((always_inline)) { ints.at[v][p] = Ops::shift_left(ints.at[v][p], shift); });
    }
    if (tile.minuends != nullptr) {
      const std::int32_t* minuends = tile.minuends + term * tile.stride + tile.first_channel;
      for_all([&](auto v, auto p) __attribute__((always_inline)) {
        ints.at[v][p] = Ops::subtract(Ops::load(minuends + v * Ops::kLanes), ints.at[v][p]);
      });
      return;
    }
    if (tile.pixel_terms != nullptr) {
      const std::int32_t* terms = tile.pixel_terms + pixel * tile.term_count + term;
      unroll<kPixels>([&](auto p) __attribute__((always_inline)) {
        const auto sum = Ops::broadcast(terms[p * tile.term_count]);
        unroll<kVectors>([&](auto v) __attribute__((always_inline)) {
          ints.at[v][p] = Ops::add(ints.at[v][p], sum);
        });
      });
    }
    if (tile.channel_terms != nullptr) {
      const std::size_t at = term * tile.stride + tile.first_channel;
      for_all([&](auto v, auto p) __attribute__((always_inline)) {
        ints.at[v][p] =
            Ops::add(ints.at[v][p], Ops::load(tile.channel_terms[pixel + p] + at + v * Ops::kLanes));
      });
    }
  }

  /// z = fma(coefficient, float(I), z)
  [[gnu::always_inline]] static void continue_chain(const BitTile& tile, std::size_t term, Chain& chain,
                                                    Floats& floats) {
    const float* coefficients = tile.coefficients + term * tile.stride + tile.first_channel;
    const auto z_at = [&](auto v, auto p) __attribute__((always_inline)) {
      return chain.z + p * kChannels + v * Ops::kLanes;
    };
    const auto add_to = [&](auto v, auto p, auto z) __attribute__((always_inline)) {
      floats.at[v][p] = Ops::fma(Ops::load(coefficients + v * Ops::kLanes), floats.at[v][p], z);
    };
    if (term == 0) {
      for_all([&](auto v, auto p) __attribute__((always_inline)) { add_to(v, p, Ops::broadcast(0.0F)); });
    } else {
      for_all([&](auto v, auto p) __attribute__((always_inline)) { add_to(v, p, Ops::load(z_at(v, p))); });
    }
    if (term + 1 == tile.term_count) return;
    for_all([&](auto v, auto p) __attribute__((always_inline)) { Ops::store(z_at(v, p), floats.at[v][p]); });
  }

  [[gnu::always_inline]] static void add_offsets(const BitTile& tile, std::size_t pixel, Floats& floats) {
    if (tile.weight_offset != nullptr) {
      const float* offset = tile.weight_offset + tile.first_channel;
      for_all([&](auto v, auto p) __attribute__((always_inline)) {
        const auto sum = Ops::broadcast(tile.activation_sums[pixel + p]);
        floats.at[v][p] = Ops::fma(Ops::load(offset + v * Ops::kLanes), sum, floats.at[v][p]);
      });
    }
    if (tile.weight_sums != nullptr) {
      const auto offset = Ops::broadcast(tile.activation_offset);
      for_all([&](auto v, auto p) __attribute__((always_inline)) {
        const auto sum = Ops::load(tile.weight_sums[pixel + p] + tile.first_channel + v * Ops::kLanes);
        floats.at[v][p] = Ops::fma(offset, sum, floats.at[v][p]);
      });
    }
  }

  /// What one threshold gives: greater(vector, value) is a mask of the vector's channels.
  template <class Values, class Greater>
  [[gnu::always_inline]] static void write_passed(const TilePassed& passed, std::size_t pixel, std::size_t l,
                                                  const Values& values, const Greater& greater) {
    std::byte* to = passed.bits + l * passed.threshold_stride + pixel * passed.pixel_stride;
    for_all([&](auto v, auto p) __attribute__((always_inline)) {
      const typename Ops::Mask mask = greater(v, values.at[v][p]);
      static_assert(sizeof mask * 8 == Ops::kLanes);
      __builtin_memcpy(to + p * passed.pixel_stride + v * sizeof mask, &mask, sizeof mask);
    });
  }
  [[gnu::always_inline]] static void compare(const TilePassed& passed, std::size_t pixel, Ints ints) {
    for_all([&](auto v, auto p) __attribute__((always_inline)) {
      ints.at[v][p] = Ops::bit_xor(ints.at[v][p], Ops::load(passed.flip + v * Ops::kLanes));
    });
    for (std::size_t l = 0; l < passed.count; ++l) {
      const std::int32_t* thresholds = passed.integer_thresholds + l * passed.channel_stride;
      const auto greater = [&](auto v, auto value) __attribute__((always_inline)) {
        return Ops::greater(value, Ops::load(thresholds + v * Ops::kLanes));
      };
      write_passed(passed, pixel, l, ints, greater);
    }
  }
  [[gnu::always_inline]] static void compare(const TilePassed& passed, std::size_t pixel,
                                             const Floats& floats) {
    for (std::size_t l = 0; l < passed.count; ++l) {
      const auto threshold = Ops::broadcast(passed.thresholds[l]);
      const auto greater = [&](auto, auto value) __attribute__((always_inline)) {
        return Ops::greater(value, threshold);
      };
      write_passed(passed, pixel, l, floats, greater);
    }
  }

  /// Into `out`; through a buffer if some channels are padding.
  template <class T, class Values>
  [[gnu::always_inline]] static void write(const BitTile& tile, std::size_t pixel, T* out,
                                           const Values& values) {
    const std::size_t stride = tile.pixel_stride;
    T* to = out + pixel * stride;
    if (tile.channels == kChannels) {
      for_all([&](auto v, auto p) __attribute__((always_inline)) {
        Ops::store(to + p * stride + v * Ops::kLanes, values.at[v][p]);
      });
      return;
    }
    alignas(64) T buffer[kPixels * kChannels];
    for_all([&](auto v, auto p) __attribute__((always_inline)) {
      Ops::store(buffer + p * kChannels + v * Ops::kLanes, values.at[v][p]);
    });
    for (std::size_t p = 0; p < kPixels; ++p) {
      for (std::size_t c = 0; c < tile.channels; ++c) to[p * stride + c] = buffer[p * kChannels + c];
    }
  }
};

/// A term's sums from those of its plane pairs, counts[i][j][channel], but for the last shift: as adjust()
/// and count_pair() do with totals.
template <class Ops, std::size_t kVectors>
[[gnu::always_inline]] inline typename TileFinish<Ops, kVectors, 1>::Ints combine_counts(
    const BitTile& tile, const TermSteps& term, const std::int32_t* counts) {
  typename TileFinish<Ops, kVectors, 1>::Ints sums;
  unroll<kVectors>([&](auto v) __attribute__((always_inline)) {
    typename Ops::Ints total = Ops::broadcast(std::int32_t{0});
    for (std::uint32_t s = 0; s < term.count; ++s) {
      const PlaneStep step = tile.steps[term.first + s];
      if (step.negate) total = Ops::negate(total);
      const std::size_t pair = step.weight_plane * kMaxActivationPlanes + step.activation_plane;
      total = Ops::add(Ops::shift_left(total, step.shift),
                       Ops::load(counts + (pair * kVectors + v) * Ops::kLanes));
    }
    sums.at[v][0] = term.negate ? Ops::negate(total) : total;
  });
  return sums;
}

}  // namespace
}  // namespace bitplane::kernels
