// SPDX-License-Identifier: Apache-2.0
//
// Sixteen channels are two registers. Per register and step, beside the load and the store:
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

#include "codebook/codebook_infos.h"
#include "codebook/codebook_kernels.h"
#include "f32/f32_kernels.h"

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

/// Calls level(step, half) for both halves of each step and stores the weights.
template <std::size_t kBits, class Level>
[[gnu::always_inline]] inline void expand_steps(const CodebookPanel& panel, Level level) {
  const std::uint8_t* step = panel.indices;
  float* out = panel.out;
  for (std::size_t t = 0; t < panel.steps; ++t, step += 2 * kBits, out += kF32PanelWidth) {
    _mm256_store_ps(out, level(step, 0));
    _mm256_store_ps(out + kLanes, level(step, 1));
  }
}

/// Bit `bit` of every channel's index in the sign of its lane.
template <std::size_t kBits>
[[gnu::always_inline]] inline __m256 sign_of_bit(__m256i words, __m256i shifts, int bit) {
  return _mm256_castsi256_ps(_mm256_sllv_epi32(words, _mm256_sub_epi32(_mm256_set1_epi32(31 - bit), shifts)));
}

void expand_1(const CodebookPanel& panel) {
  const __m256i shifts[2] = {Words<1>::shifts(0), Words<1>::shifts(1)};
  const __m256 low[2] = {_mm256_loadu_ps(panel.levels), _mm256_loadu_ps(panel.levels + 8)};
  const __m256 high[2] = {_mm256_loadu_ps(panel.levels + 16), _mm256_loadu_ps(panel.levels + 24)};
  expand_steps<1>(
      panel, [&](const std::uint8_t* step, std::size_t half) __attribute__((always_inline)) {
        return _mm256_blendv_ps(low[half], high[half], sign_of_bit<1>(Words<1>::load(step), shifts[half], 0));
      });
}

/// A table of 8.
template <std::size_t kBits>
void expand_table(const CodebookPanel& panel) {
  const __m256i shifts[2] = {Words<kBits>::shifts(0), Words<kBits>::shifts(1)};
  const __m256 table = _mm256_loadu_ps(panel.levels);
  expand_steps<kBits>(
      panel, [&](const std::uint8_t* step, std::size_t half) __attribute__((always_inline)) {
        return _mm256_permutevar8x32_ps(table, _mm256_srlv_epi32(Words<kBits>::load(step), shifts[half]));
      });
}

void expand_two_tables(const CodebookPanel& panel) {
  const __m256i shifts[2] = {Words<4>::shifts(0), Words<4>::shifts(1)};
  const __m256 low = _mm256_loadu_ps(panel.levels), high = _mm256_loadu_ps(panel.levels + 8);
  expand_steps<4>(
      panel, [&](const std::uint8_t* step, std::size_t half) __attribute__((always_inline)) {
        const __m256i indices = _mm256_srlv_epi32(Words<4>::load(step), shifts[half]);
        return _mm256_blendv_ps(_mm256_permutevar8x32_ps(low, indices),
                                _mm256_permutevar8x32_ps(high, indices),
                                _mm256_castsi256_ps(_mm256_slli_epi32(indices, 28)));
      });
}

/// Four levels per channel.
void expand_tree(const CodebookPanel& panel) {
  const __m256i shifts[2] = {Words<2>::shifts(0), Words<2>::shifts(1)};
  expand_steps<2>(
      panel, [&](const std::uint8_t* step, std::size_t half) __attribute__((always_inline)) {
        const __m256i words = Words<2>::load(step);
        const __m256 bit0 = sign_of_bit<2>(words, shifts[half], 0),
                     bit1 = sign_of_bit<2>(words, shifts[half], 1);
        const float* levels = panel.levels + half * kLanes;
        const auto level = [=](std::size_t l) { return _mm256_loadu_ps(levels + l * kF32PanelWidth); };
        return _mm256_blendv_ps(_mm256_blendv_ps(level(0), level(1), bit0),
                                _mm256_blendv_ps(level(2), level(3), bit0), bit1);
      });
}

template <std::size_t kBits>
void expand_gathered(const CodebookPanel& panel) {
  expand_steps<kBits>(
      panel, [&](const std::uint8_t* step, std::size_t half) __attribute__((always_inline)) {
        __m256i at;
        if constexpr (kBits == 8) {
          at = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(step + half * kLanes)));
        } else {
          at = _mm256_and_si256(_mm256_srlv_epi32(Words<kBits>::load(step), Words<kBits>::shifts(half)),
                                _mm256_set1_epi32((1 << kBits) - 1));
        }
        if (panel.scope == LevelScope::Channel)
          at = _mm256_add_epi32(_mm256_slli_epi32(at, 4), channels_of(half));
        return _mm256_i32gather_ps(panel.levels, at, sizeof(float));
      });
}

void expand(const CodebookPanel& panel) noexcept {
  const bool layer = panel.scope == LevelScope::Layer;
  switch (panel.index_bits) {
    case 1:
      return expand_1(panel);
    case 2:
      return layer ? expand_table<2>(panel) : expand_tree(panel);
    case 4:
      if (!layer) return expand_gathered<4>(panel);
      return panel.level_count == 8 ? expand_table<4>(panel) : expand_two_tables(panel);
    default:
      return expand_gathered<8>(panel);
  }
}

}  // namespace

constinit const CodebookKernels kCodebookAvx2{
    .name = kCodebookInfos[1].name, .isa = Isa::Avx2, .f32 = &kF32Avx2, .expand = expand};

}  // namespace bitplane::kernels
