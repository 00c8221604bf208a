// SPDX-License-Identifier: Apache-2.0
//
// The look-up micro-kernel and what follows it, once for all ISAs (lut_tile.h says what is computed).
// Included by the per-ISA files only; everything is local to them.
//
// A backend has
//   Vec, Ints          a register of bytes (or of half as many 16-bit words), and of kIntLanes int32
//   kLayout            what its registers make of the layouts (lut_tile.h)
//   kCodesInRegisters  are the codes of a unit loaded together, or each where it is used?
//   keep(v)            an empty asm that holds v in a register (see look_up_unit)
//   load_bytes, unpack_index<half>, table_part(tables, code), look_up(table, index), add_bytes
//   add_words, sub_words, high_bytes, to_high_bytes, store_words      of 16-bit words
//   broadcast, load, load_words_as_ints, add, multiply, store_result  of Ints; to floats it converts
//   popcount(word), and transpose(Ints (&)[kIntLanes]) where weights can be the tables
#pragma once

#include <cstddef>
#include <cstdint>

#include "isa_unroll.h"
#include "lut/lut_tile.h"

namespace bitplane::kernels {
namespace {

template <class T>
[[gnu::always_inline]] inline T load_unaligned(const void* p) {
  T value;
  __builtin_memcpy(&value, p, sizeof(T));
  return value;
}

template <class B>
inline constexpr std::size_t kLanes = B::kLayout.lanes;
template <class B>
inline constexpr std::size_t kGroupsPerByte = B::kLayout.groups_per_byte();

/// 16-bit sums of one register and pixel. `both` holds even + 256 * odd lanes modulo 2^16, so that widening
/// takes no mask; they are told apart at the end.
template <class B>
struct WideSum {
  typename B::Vec both, odd;
};

template <class B, int kRegisters, int kPixels>
struct LutAccumulators {
  typename B::Vec bytes[kRegisters][kPixels];
};

template <class B, int kRegisters, int kPixels>
struct WideSums {
  WideSum<B> at[kRegisters][kPixels];
};

template <std::size_t kGroups>
struct CodeWord;
template <>
struct CodeWord<2> {
  using Type = std::uint32_t;
};
template <>
struct CodeWord<4> {
  using Type = std::uint64_t;
};

/// The codes of kUnit groups of the tile's pixels.
template <class B, int kPixels, int kParts, std::size_t kUnit>
class UnitCodes {
 public:
  [[gnu::always_inline]] UnitCodes(const LutTile& tile, const std::uint16_t* const (&codes)[kPixels],
                                   std::size_t at)
      : codes_(codes), part_stride_(tile.part_stride), at_(at) {
    if constexpr (B::kCodesInRegisters) {
      unroll<kParts * kPixels>([&](auto i) __attribute__((always_inline)) {
        words_[i / kPixels][i % kPixels] =
            load_unaligned<Word>(codes[i % kPixels] + (i / kPixels) * part_stride_ + at);
      });
    }
  }
  /// In the low 16 bits.
  template <std::size_t kPart, std::size_t kPixel, std::size_t kGroup>
  [[gnu::always_inline]] auto get() const {
    if constexpr (B::kCodesInRegisters) {
      return words_[kPart][kPixel] >> (16 * kGroup);
    } else {
      return codes_[kPixel][kPart * part_stride_ + at_ + kGroup];
    }
  }

 private:
  using Word = typename CodeWord<kUnit>::Type;
  const std::uint16_t* const (&codes_)[kPixels];
  std::size_t part_stride_, at_;
  Word words_[kParts][kPixels];
};

/// bytes += table[index] for kUnit groups from group `at` on.
template <class B, int kRegisters, int kPixels, int kParts, std::size_t kUnit>
[[gnu::always_inline]] inline void look_up_unit(const LutTile& tile, const std::uint8_t* indices,
                                                const std::uint16_t* const (&codes)[kPixels], std::size_t at,
                                                LutAccumulators<B, kRegisters, kPixels>& acc) {
  using Vec = typename B::Vec;
  const UnitCodes<B, kPixels, kParts, kUnit> unit(tile, codes, at);
  unroll<kUnit / kGroupsPerByte<B>>([&](auto step) __attribute__((always_inline)) {
    Vec index[kGroupsPerByte<B>][kRegisters];
    unroll<kRegisters>([&](auto r) __attribute__((always_inline)) {
      Vec packed = B::load_bytes(indices + (step * kRegisters + r) * kLanes<B>);
      B::keep(packed);
      unroll<kGroupsPerByte<B>>([&](auto n) __attribute__((always_inline)) {
        index[n][r] = B::template unpack_index<n>(packed);
      });
    });
    unroll<kPixels * kGroupsPerByte<B>>([&](auto i) __attribute__((always_inline)) {
      constexpr std::size_t kPixel = i / kGroupsPerByte<B>, kHalf = i % kGroupsPerByte<B>;
      constexpr std::size_t kGroup = step * kGroupsPerByte<B> + kHalf;
      Vec table = B::table_part(tile.tables, unit.template get<0, kPixel, kGroup>());
      unroll<kParts - 1>([&](auto part) __attribute__((always_inline)) {
        table = B::add_bytes(table, B::table_part(tile.tables + (part + 1) * B::kLayout.part_bytes,
                                                  unit.template get<part + 1, kPixel, kGroup>()));
      });
      // All look-ups of a table, then all additions: alternating, they get in each other's ports (Zen 4: 1.24
      // cycles per pair instead of 1.00), and without keep() GCC 12 re-associates the sums and moves every
      // accumulator to another register and back.
      B::keep(table);
      Vec found[kRegisters];
      unroll<kRegisters>([&](auto r) __attribute__((always_inline)) {
        found[r] = B::look_up(table, index[kHalf][r]);
        B::keep(found[r]);
      });
      unroll<kRegisters>([&](auto r) __attribute__((always_inline)) {
        Vec& sum = acc.bytes[r][kPixel];
        sum = B::add_bytes(sum, found[r]);
        B::keep(sum);
      });
    });
  });
}

/// A tile of kRegisters x kPixels, over all groups.
template <class B, int kRegisters, int kPixels, int kParts>
void run_lut_tile(const LutTile& tile) noexcept {
  using Vec = typename B::Vec;
  constexpr std::size_t kUnit = B::kLayout.unit_groups[kParts - 1];
  const std::uint16_t* codes[kPixels];
  unroll<kPixels>([&](auto p)
                      __attribute__((always_inline)) { codes[p] = tile.codes + p * tile.pixel_stride; });
  const std::uint8_t* indices = tile.indices;
  WideSums<B, kRegisters, kPixels> wide;
  unroll<kRegisters * kPixels>([&](auto i) __attribute__((always_inline)) {
    wide.at[i / kPixels][i % kPixels] = {B::zero(), B::zero()};
  });
  for (std::size_t begin = 0; begin < tile.groups; begin += tile.widen_every) {
    const std::size_t left = tile.groups - begin;
    const std::size_t end = begin + (left < tile.widen_every ? left : tile.widen_every);
    LutAccumulators<B, kRegisters, kPixels> acc;
    unroll<kRegisters * kPixels>([&](auto i) __attribute__((always_inline)) {
      acc.bytes[i / kPixels][i % kPixels] = B::zero();
    });
    for (std::size_t group = begin; group < end; group += kUnit) {
      look_up_unit<B, kRegisters, kPixels, kParts, kUnit>(tile, indices, codes, group, acc);
      indices += kUnit / kGroupsPerByte<B> * kRegisters * kLanes<B>;
    }
    unroll<kRegisters * kPixels>([&](auto i) __attribute__((always_inline)) {
      const Vec bytes = acc.bytes[i / kPixels][i % kPixels];
      WideSum<B>& sum = wide.at[i / kPixels][i % kPixels];
      sum.both = B::add_words(sum.both, bytes);
      sum.odd = B::add_words(sum.odd, B::high_bytes(bytes));
    });
  }
  unroll<kRegisters * kPixels>([&](auto i) __attribute__((always_inline)) {
    const WideSum<B>& sum = wide.at[i / kPixels][i % kPixels];
    std::uint16_t* to = tile.sums + (i % kPixels) * tile.sum_stride + (i / kPixels) * kLanes<B>;
    B::store_words(to, B::sub_words(sum.both, B::to_high_bytes(sum.odd)));
    B::store_words(to + kLanes<B> / 2, sum.odd);
  });
}

template <class Finish>
[[gnu::always_inline]] inline std::int32_t* results(const Finish& finish, std::int32_t*) {
  return finish.integers;
}
template <class Finish>
[[gnu::always_inline]] inline float* results(const Finish& finish, float*) {
  return finish.z;
}

/// One block of one pixel, every lane of it. kPlanes = 0: as many as there are.
template <class B, std::size_t kPlanes, class T>
[[gnu::always_inline]] inline void combine_planes(const LutFinish& finish, const std::uint16_t* sums,
                                                  std::int32_t pixel_term, const std::int32_t* before,
                                                  T* to) {
  const std::size_t planes = kPlanes == 0 ? finish.planes : kPlanes;
  for (std::size_t c = 0; c < kLanes<B>; c += B::kIntLanes) {
    typename B::Ints total = before == nullptr ? B::broadcast(pixel_term) : B::load(before + c);
    for (std::size_t i = 0; i < planes; ++i) {
      const typename B::Ints sum = B::load_words_as_ints(sums + i * kLanes<B> + c);
      total = B::add(total, B::multiply(sum, B::broadcast(finish.factors[i])));
    }
    B::store_result(to + c, total);
  }
}

/// Results of type T: float or int32.
template <class B, std::size_t kPlanes, class T>
void finish_unit_as(const LutFinish& finish) noexcept {
  const std::size_t planes = kPlanes == 0 ? finish.planes : kPlanes;
  const std::size_t blocks = (finish.channels + kLanes<B> - 1) / kLanes<B>;
  const std::uint16_t* sums = finish.sums;
  for (std::size_t pixel = 0; pixel < finish.pixels; ++pixel) {
    T* out = results(finish, static_cast<T*>(nullptr)) + pixel * finish.out_stride;
    for (std::size_t block = 0; block < blocks; ++block, sums += planes * kLanes<B>) {
      const std::int32_t* before =
          finish.before == nullptr ? nullptr : finish.before + (pixel * blocks + block) * kLanes<B>;
      const std::int32_t term = finish.pixel_terms[pixel];
      const std::size_t left = finish.channels - block * kLanes<B>;
      if (left >= kLanes<B>) {
        combine_planes<B, kPlanes>(finish, sums, term, before, out + block * kLanes<B>);
      } else {
        T all[kLanes<B>];
        combine_planes<B, kPlanes>(finish, sums, term, before, all);
        __builtin_memcpy(out + block * kLanes<B>, all, left * sizeof(T));
      }
    }
  }
}

template <class B, class T>
void finish_planes_as(const LutFinish& finish) noexcept {
  switch (finish.planes) {
    case 1:
      return finish_unit_as<B, 1, T>(finish);
    case 2:
      return finish_unit_as<B, 2, T>(finish);
    default:
      return finish_unit_as<B, 0, T>(finish);
  }
}

template <class B>
void finish_lut_unit(const LutFinish& finish) noexcept {
  if (finish.z != nullptr) {
    finish_planes_as<B, float>(finish);
  } else {
    finish_planes_as<B, std::int32_t>(finish);
  }
}

/// kIntLanes pixels from `pixel` on of kIntLanes channels.
template <class B, class T>
[[gnu::always_inline]] inline void finish_square(const LutTransposedFinish& finish, std::size_t pixel) {
  typename B::Ints totals[B::kIntLanes];
  const std::size_t at = pixel / kLanes<B> * finish.planes * kLanes<B> + pixel % kLanes<B>;
  unroll<B::kIntLanes>([&](auto c) __attribute__((always_inline)) {
    totals[c] = B::load(finish.pixel_terms + pixel);
  });
  for (std::size_t j = 0; j < finish.planes; ++j) {
    const typename B::Ints factor = B::broadcast(finish.factors[j]);
    unroll<B::kIntLanes>([&](auto c) __attribute__((always_inline)) {
      const std::uint16_t* sums = finish.sums + c * finish.sum_stride + at + j * kLanes<B>;
      totals[c] = B::add(totals[c], B::multiply(B::load_words_as_ints(sums), factor));
    });
  }
  B::transpose(totals);
  T* out = results(finish, static_cast<T*>(nullptr)) + pixel * finish.out_stride;
  const std::size_t left = finish.pixels - pixel;
  unroll<B::kIntLanes>([&](auto p) __attribute__((always_inline)) {
    if (p >= left) return;
    if (finish.channels == B::kIntLanes) {
      B::store_result(out + p * finish.out_stride, totals[p]);
    } else {
      T all[B::kIntLanes];
      B::store_result(all, totals[p]);
      __builtin_memcpy(out + p * finish.out_stride, all, finish.channels * sizeof(T));
    }
  });
}

template <class B>
void finish_lut_transposed(const LutTransposedFinish& finish) noexcept {
  for (std::size_t pixel = 0; pixel < finish.pixels; pixel += B::kIntLanes) {
    if (finish.z != nullptr) {
      finish_square<B, float>(finish, pixel);
    } else {
      finish_square<B, std::int32_t>(finish, pixel);
    }
  }
}

template <class B>
std::int32_t sum_lut_window(const LutWindow& window, const std::int32_t* multiples) noexcept {
  std::int64_t sum = 0;
  for (std::size_t j = 0; j < window.planes; ++j) {
    std::int64_t count = 0;
    for (std::size_t k = 0; k < window.words; ++k) {
      count += B::popcount(
          load_unaligned<std::uint64_t>(window.bits + j * window.plane_stride + k * sizeof(std::uint64_t)));
    }
    sum += count * multiples[j];
  }
  return static_cast<std::int32_t>(sum);
}

}  // namespace
}  // namespace bitplane::kernels
