// SPDX-License-Identifier: Apache-2.0
//
// The epilogues, once for all ISAs: from a row of z, of integers A, of ranks or of passed thresholds to
// floats, ranks or planes. Included by the per-ISA files only; everything is local to them.
//
// A backend V holds kLanes consecutive channels of one pixel. `count` <= kLanes is the number of valid ones:
// nothing is read or written beyond them. Its operations:
//
//   Floats, Ints (int32), kLanes
//   load(const float*, count), load(const int32*, count), store(float*, Floats, count)
//   broadcast(float), broadcast(int32), fma(a, b, c), add(a, b), relu(x), bit_xor(Ints, Ints)
//   larger(x, best)                        x > best ? x : best
//   greater(Floats, Floats), greater(Ints, Ints) -> uint32, bit i = lane i of a > b
//   count_greater(Ints counts, Floats a, Floats b), (Ints counts, Ints a, Ints b) -> counts + (a > b)
//   descend(Ints nodes, Floats t, const float* tree, level) -> 2 * nodes + (t > tree[nodes]); the nodes are
//                                          those of one level, 2^level .. 2^(level + 1) - 1
//                                          (threshold_tree.h)
//   store_bytes(uint8*, Ints, count)       lanes are 0..255
//   map_codes(uint8* bytes, const uint8* table)        64 bytes; the table has 256
//   plane_word(const uint8* codes, plane) -> uint64    bit `plane` of 64 codes
//
// The last two have portable versions in planes_of_codes.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bitplane/kernels/epilogue.h"
#include "epilogue/row_planes.h"
#include "epilogue/row_values.h"
#include "epilogue/threshold_tree.h"

namespace bitplane::kernels {
namespace {

template <class V, class Values>
void apply_float(const Epilogue& epilogue, const EpilogueRow& row) noexcept {
  const Values values(epilogue, row);
  const std::size_t pixels = row.pixels, channels = row.channels;
  const bool relu = epilogue.activation == Activation::Relu;
  float* out = epilogue.out + (row.row - epilogue.first_row) * pixels * channels;
  for (std::size_t p = 0; p < pixels; ++p, out += channels) {
    for_vectors<V>(
        channels, [&](std::size_t c, std::size_t count) __attribute__((always_inline)) {
          const typename V::Floats t = values.at(p, c, count);
          V::store(out + c, relu ? V::relu(t) : t, count);
        });
  }
}

/// rank_of(pixel, channel, count) gives a vector of ranks.
template <class V, class RankOf>
[[gnu::always_inline]] inline void write_ranks(const Epilogue& epilogue, const EpilogueRow& row,
                                               const RankOf& rank_of) {
  const std::size_t pixels = row.pixels, channels = row.channels;
  std::uint8_t* out = epilogue.out_ranks + row.row * pixels * channels;
  for (std::size_t p = 0; p < pixels; ++p, out += channels) {
    for_vectors<V>(
        channels, [&](std::size_t c, std::size_t count) __attribute__((always_inline)) {
          V::store_bytes(out + c, rank_of(p, c, count), count);
        });
  }
}

template <class V, class Values>
void apply_value_ranks(const Epilogue& epilogue, const EpilogueRow& row) noexcept {
  if (epilogue.ranks.count <= kLinearThresholds) {
    write_ranks<V>(epilogue, row, LinearRank<V, Values>{{epilogue, row}, epilogue.ranks.count});
  } else {
    const ThresholdTree tree(epilogue.ranks);
    write_ranks<V>(epilogue, row, TreeRank<V, Values>{{epilogue, row}, tree});
  }
}

template <class V>
void apply_ranks(const Epilogue& epilogue, const EpilogueRow& row) noexcept {
  if (row.integers != nullptr) {
    write_ranks<V>(epilogue, row, LinearRank<V, IntegerValues<V>>{{epilogue, row}, epilogue.ranks.count});
  } else if (epilogue.after.scale != nullptr) {
    apply_value_ranks<V, AfterValues<V, AffineValues<V>>>(epilogue, row);
  } else {
    apply_value_ranks<V, AffineValues<V>>(epilogue, row);
  }
}

// Flattened where planes are written: a copy of an inline function of planes.h in a per-ISA object could be
// the one that the linker keeps (GCC 12 for ARM emitted two).

/// Few thresholds: planes straight from the masks of comparisons, whatever the values are.
template <class V, class Values>
[[gnu::flatten]] bool apply_mask_planes(const Epilogue& epilogue, const EpilogueRow& row) noexcept {
  const Values values(epilogue, row);
  switch (epilogue.layout.planes) {
    case 1:
      write_planes(epilogue, row, MaskWords<V, Values, 1>(values, epilogue.ranks));
      return true;
    case 2:
      write_planes(epilogue, row, MaskWords<V, Values, 2>(values, epilogue.ranks));
      return true;
    case 3:
      write_planes(epilogue, row, MaskWords<V, Values, 3>(values, epilogue.ranks));
      return true;
    case 4:
      write_planes(epilogue, row, MaskWords<V, Values, 4>(values, epilogue.ranks));
      return true;
    default:
      return false;
  }
}

[[gnu::flatten]] void apply_passed(const Epilogue& epilogue, const EpilogueRow& row) noexcept {
  switch (epilogue.layout.planes) {
    case 1:
      return write_planes(epilogue, row, PassedWords<1>(row, epilogue.ranks));
    case 2:
      return write_planes(epilogue, row, PassedWords<2>(row, epilogue.ranks));
    case 3:
      return write_planes(epilogue, row, PassedWords<3>(row, epilogue.ranks));
    default:
      return write_planes(epilogue, row, PassedWords<kMostPassedPlanes>(row, epilogue.ranks));
  }
}

template <class V, class Values>
[[gnu::flatten]] void apply_value_planes(const Epilogue& epilogue, const EpilogueRow& row) noexcept {
  if (epilogue.ranks.count <= kLinearThresholds && apply_mask_planes<V, Values>(epilogue, row)) return;
  using Rank = TreeRank<V, Values>;
  const ThresholdTree tree(epilogue.ranks);
  write_planes(epilogue, row, CodeWords<V, VectorRanks<V, Rank>>({Rank{{epilogue, row}, tree}}, epilogue));
}

template <class V>
[[gnu::flatten]] void apply_planes(const Epilogue& epilogue, const EpilogueRow& row) noexcept {
  const std::size_t count = epilogue.ranks.count;
  if (row.passed.bits != nullptr) {
    apply_passed(epilogue, row);
  } else if (row.ranks != nullptr) {
    write_planes(epilogue, row, CodeWords<V, GivenRanks>({row.ranks, row.channels}, epilogue));
  } else if (row.integers != nullptr) {
    using Values = IntegerValues<V>;
    if (count <= kMaskThresholds && apply_mask_planes<V, Values>(epilogue, row)) return;
    using Rank = LinearRank<V, Values>;
    write_planes(epilogue, row, CodeWords<V, VectorRanks<V, Rank>>({Rank{{epilogue, row}, count}}, epilogue));
  } else if (epilogue.after.scale != nullptr) {
    apply_value_planes<V, AfterValues<V, PlaneValues<V>>>(epilogue, row);
  } else {
    apply_value_planes<V, PlaneValues<V>>(epilogue, row);
  }
}

template <class V>
void apply_epilogue(const Epilogue& epilogue, const EpilogueRow& row) noexcept {
  switch (epilogue.kind) {
    case EpilogueKind::Float:
      if (epilogue.after.scale == nullptr) return apply_float<V, AffineValues<V>>(epilogue, row);
      return apply_float<V, AfterValues<V, AffineValues<V>>>(epilogue, row);
    case EpilogueKind::Planes:
      return apply_planes<V>(epilogue, row);
    case EpilogueKind::Ranks:
      return apply_ranks<V>(epilogue, row);
  }
}

/// The best of kVectors vectors of channels, in registers while the window passes by.
template <class V, std::size_t kVectors>
[[gnu::always_inline]] inline void max_channels(const FloatWindow& window, std::size_t channel,
                                                std::size_t count, float* maxima) {
  const std::size_t first = window.row_begin % window.slots;
  const float* column = window.data + window.column_begin * window.channels + channel;
  typename V::Floats best[kVectors];
  unroll<kVectors>([&](auto v) __attribute__((always_inline)) {
    best[v] = V::load(column + first * window.row_floats + v * V::kLanes, count);
  });
  std::size_t slot = first;
  for (std::size_t row = window.row_begin; row < window.row_end; ++row) {
    const float* pixel = column + slot * window.row_floats;
    for (std::size_t x = window.column_begin; x < window.column_end; ++x, pixel += window.channels) {
      unroll<kVectors>([&](auto v) __attribute__((always_inline)) {
        best[v] = V::larger(V::load(pixel + v * V::kLanes, count), best[v]);
      });
    }
    slot = slot + 1 == window.slots ? 0 : slot + 1;
  }
  unroll<kVectors>([&](auto v) __attribute__((always_inline)) {
    V::store(maxima + channel + v * V::kLanes, best[v], count);
  });
}

template <class V>
void max_window(const FloatWindow& window, float* maxima) noexcept {
  constexpr std::size_t kAtOnce = 4;
  std::size_t c = 0;
  for (; c + kAtOnce * V::kLanes <= window.channels; c += kAtOnce * V::kLanes)
    max_channels<V, kAtOnce>(window, c, V::kLanes, maxima);
  for (; c + V::kLanes <= window.channels; c += V::kLanes) max_channels<V, 1>(window, c, V::kLanes, maxima);
  if (c != window.channels) max_channels<V, 1>(window, c, window.channels - c, maxima);
}

}  // namespace
}  // namespace bitplane::kernels
