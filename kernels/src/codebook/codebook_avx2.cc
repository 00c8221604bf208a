// SPDX-License-Identifier: Apache-2.0
//
// Sixteen channels are two registers. Per register and step, beside the load:
//
//   1 bit                       a shift that brings the index to the sign, a blend by signs
//   2, 4 bits, up to 8 levels   shift, vpermps: it ignores what lies above bit 2, and the table of 4 levels
//   is
//                               repeated for it
//   4 bits, 16 levels           two vpermps and a blend by bit 3
//   2 bits, per channel         a tree of three blends
//   everything else             gather
#include <immintrin.h>

#include <cstring>
#include <utility>

#include "codebook/codebook_infos.h"
#include "codebook/codebook_kernels.h"
#include "f32/f32_kernels.h"
#include "isa_unroll.h"

namespace bitplane::kernels {
namespace {

constexpr std::size_t kLanes = 8;

template <class Word>
Word load_word(const std::uint8_t* p) {
  Word word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

/// The channels of register `half`.
__m256i channels_of(std::size_t half) {
  return _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7),
                          _mm256_set1_epi32(static_cast<int>(half * kLanes)));
}

/// The word that holds each channel's index, and how far to shift it right.
template <std::size_t kBits>
struct Words {
  static __m256i load(const std::uint8_t* step) {
    if constexpr (kBits == 1) return _mm256_set1_epi32(load_word<std::uint16_t>(step));
    if constexpr (kBits == 2) return _mm256_set1_epi32(load_word<std::int32_t>(step));
    if constexpr (kBits == 4) return _mm256_set1_epi64x(load_word<std::int64_t>(step));
  }
  static __m256i shifts(std::size_t half) {
    const __m256i c = channels_of(half);
    if constexpr (kBits == 1) return c;
    if constexpr (kBits == 2) return _mm256_slli_epi32(c, 1);
    if constexpr (kBits == 4) return _mm256_slli_epi32(_mm256_srli_epi32(c, 1), 2);
  }
};

/// Bit `bit` of every channel's index in the sign of its lane.
template <std::size_t kBits>
[[gnu::always_inline]] inline __m256 sign_of_bit(const std::uint8_t* step, __m256i shifts, int bit) {
  return _mm256_castsi256_ps(
      _mm256_sllv_epi32(Words<kBits>::load(step), _mm256_sub_epi32(_mm256_set1_epi32(31 - bit), shifts)));
}

// How the 8 weights of a half panel come about: constructed from the panel's levels, called with a step's
// indices.

struct Blend {
  static constexpr std::size_t kBits = 1, kPanels = 2;
  Blend(const float* levels, std::size_t half)
      : low(_mm256_loadu_ps(levels + half * kLanes)),
        high(_mm256_loadu_ps(levels + kF32PanelWidth + half * kLanes)),
        shifts(Words<1>::shifts(half)) {}
  [[gnu::always_inline]] __m256 operator()(const std::uint8_t* step) const {
    return _mm256_blendv_ps(low, high, sign_of_bit<1>(step, shifts, 0));
  }
  __m256 low, high;
  __m256i shifts;
};

/// A table of 8.
template <std::size_t kIndexBits>
struct Permute {
  static constexpr std::size_t kBits = kIndexBits, kPanels = 2;
  Permute(const float* levels, std::size_t half)
      : table(_mm256_loadu_ps(levels)), shifts(Words<kBits>::shifts(half)) {}
  [[gnu::always_inline]] __m256 operator()(const std::uint8_t* step) const {
    return _mm256_permutevar8x32_ps(table, _mm256_srlv_epi32(Words<kBits>::load(step), shifts));
  }
  __m256 table;
  __m256i shifts;
};

/// A table of 16.
struct PermuteTwo {
  static constexpr std::size_t kBits = 4, kPanels = 2;
  PermuteTwo(const float* levels, std::size_t half)
      : low(_mm256_loadu_ps(levels)),
        high(_mm256_loadu_ps(levels + kLanes)),
        shifts(Words<4>::shifts(half)) {}
  [[gnu::always_inline]] __m256 operator()(const std::uint8_t* step) const {
    const __m256i indices = _mm256_srlv_epi32(Words<4>::load(step), shifts);
    return _mm256_blendv_ps(_mm256_permutevar8x32_ps(low, indices), _mm256_permutevar8x32_ps(high, indices),
                            _mm256_castsi256_ps(_mm256_slli_epi32(indices, 28)));
  }
  __m256 low, high;
  __m256i shifts;
};

/// Four levels per channel, read from the L1 cache by the blends.
struct Tree {
  static constexpr std::size_t kBits = 2, kPanels = 2;
  Tree(const float* from, std::size_t half) : levels(from + half * kLanes), shifts(Words<2>::shifts(half)) {}
  [[gnu::always_inline]] __m256 level(std::size_t l) const {
    return _mm256_loadu_ps(levels + l * kF32PanelWidth);
  }
  [[gnu::always_inline]] __m256 operator()(const std::uint8_t* step) const {
    const __m256 bit0 = sign_of_bit<2>(step, shifts, 0), bit1 = sign_of_bit<2>(step, shifts, 1);
    return _mm256_blendv_ps(_mm256_blendv_ps(level(0), level(1), bit0),
                            _mm256_blendv_ps(level(2), level(3), bit0), bit1);
  }
  const float* levels;
  __m256i shifts;
};

template <std::size_t kIndexBits, LevelScope kScope>
struct Gather {
  static constexpr std::size_t kBits = kIndexBits, kPanels = 1;
  Gather(const float* from, std::size_t half_panel) : levels(from), half(half_panel) {}
  [[gnu::always_inline]] __m256 operator()(const std::uint8_t* step) const {
    __m256i at;
    if constexpr (kBits == 8) {
      at = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(step + half * kLanes)));
    } else {
      at = _mm256_and_si256(_mm256_srlv_epi32(Words<kBits>::load(step), Words<kBits>::shifts(half)),
                            _mm256_set1_epi32((1 << kBits) - 1));
    }
    if constexpr (kScope == LevelScope::Channel)
      at = _mm256_add_epi32(_mm256_slli_epi32(at, 4), channels_of(half));
    return _mm256_i32gather_ps(levels, at, sizeof(float));
  }
  const float* levels;
  std::size_t half;
};

template <class Weights>
void expand_as(const CodebookPanel& panel) {
  const Weights low(panel.levels, 0), high(panel.levels, 1);
  const std::uint8_t* step = panel.indices;
  float* out = panel.out;
  for (std::size_t t = 0; t < panel.steps; ++t, step += 2 * Weights::kBits, out += kF32PanelWidth) {
    _mm256_store_ps(out, low(step));
    _mm256_store_ps(out + kLanes, high(step));
  }
}

/// Stores the first `count` lanes.
void store_lanes(float* to, __m256 values, std::size_t count) {
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const int stored = static_cast<int>(count < kLanes ? count : kLanes);
  _mm256_maskstore_ps(to, _mm256_cmpgt_epi32(_mm256_set1_epi32(stored), lanes), values);
}

/// Halves of panels: first .. first + the length of the sequence.
template <class Weights, std::size_t... kHalf>
[[gnu::always_inline]] inline void multiply_halves(const CodebookRow& row, std::size_t first_panel,
                                                   std::index_sequence<kHalf...>) {
  constexpr std::size_t kHalves = sizeof...(kHalf);
  const Weights weights[] = {
      Weights(row.panel.levels + (first_panel + kHalf / 2) * row.level_stride, kHalf % 2)...};
  const std::uint8_t* steps[] = {row.panel.indices + (first_panel + kHalf / 2) * row.index_stride...};
  __m256 sum[kHalves];
  unroll<kHalves>([&](auto h) __attribute__((always_inline)) { sum[h] = _mm256_setzero_ps(); });
  for (std::size_t t = 0; t < row.panel.steps; ++t) {
    const __m256 x = _mm256_set1_ps(row.a[row.step_offset[t]]);
    unroll<kHalves>([&](auto h) __attribute__((always_inline)) {
      sum[h] = _mm256_fmadd_ps(x, weights[h](steps[h] + t * 2 * Weights::kBits), sum[h]);
    });
  }
  unroll<kHalves>([&](auto h) __attribute__((always_inline)) {
    const std::size_t column = first_panel * kF32PanelWidth + h * kLanes;
    if (column < row.columns) store_lanes(row.c + column, sum[h], row.columns - column);
  });
}

template <class Weights>
void multiply_row(const CodebookRow& row) noexcept {
  const std::size_t panels = (row.columns + kF32PanelWidth - 1) / kF32PanelWidth;
  std::size_t panel = 0;
  for (; panel + Weights::kPanels <= panels; panel += Weights::kPanels)
    multiply_halves<Weights>(row, panel, std::make_index_sequence<2 * Weights::kPanels>{});
  for (; panel < panels; ++panel) multiply_halves<Weights>(row, panel, std::make_index_sequence<2>{});
}

struct Form {
  void (*expand)(const CodebookPanel&);
  MultiplyCodebookRow multiply_row;
};
template <class Weights>
constexpr Form kForm{expand_as<Weights>, multiply_row<Weights>};

const Form& form_of(const CodebookPanel& panel) {
  const bool layer = panel.scope == LevelScope::Layer;
  switch (panel.index_bits) {
    case 1:
      return kForm<Blend>;
    case 2:
      return layer ? kForm<Permute<2>> : kForm<Tree>;
    case 4:
      if (!layer) return kForm<Gather<4, LevelScope::Channel>>;
      return panel.level_count == 8 ? kForm<Permute<4>> : kForm<PermuteTwo>;
    default:
      return layer ? kForm<Gather<8, LevelScope::Layer>> : kForm<Gather<8, LevelScope::Channel>>;
  }
}

void expand(const CodebookPanel& panel) noexcept {
  form_of(panel).expand(panel);
}
MultiplyCodebookRow row_form(const CodebookPanel& panel) noexcept {
  return form_of(panel).multiply_row;
}

}  // namespace

constinit const CodebookKernels kCodebookAvx2{.name = kCodebookInfos[1].name,
                                              .isa = Isa::Avx2,
                                              .f32 = &kF32Avx2,
                                              .expand = expand,
                                              .row_form = row_form};

}  // namespace bitplane::kernels
