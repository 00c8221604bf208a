// SPDX-License-Identifier: Apache-2.0
//
// Sixteen channels are one register. Per step, beside the load and the store:
//
//   1 bit                     one blend under the mask that the two bytes are
//   2, 4 bits, per layer      shift, vpermps: the table is a register; vpermps ignores what lies above bit 3,
//                             and the table of 4 levels is repeated for it
//   2, 4 bits, per channel    a tree of blends under the masks of the index bits (4 bits: 15 of them)
//   8 bits, up to 32 levels   vpermi2ps
//   8 bits, more              gather
#include <cstring>

#include "bitserial/intrinsics.h"
#include "codebook/codebook_infos.h"
#include "codebook/codebook_kernels.h"
#include "f32/f32_kernels.h"
#include "isa_unroll.h"

namespace bitplane::kernels {
namespace {

template <class Word>
Word load_word(const std::uint8_t* p) {
  Word word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

__m512i lane_numbers() {
  return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

/// The index of each channel in the low kBits bits of its lane, other channels' above it.
template <std::size_t kBits>
[[gnu::always_inline]] inline __m512i indices_of(const std::uint8_t* step) {
  if constexpr (kBits == 2) {
    const __m512i word = _mm512_set1_epi32(load_word<std::int32_t>(step));
    return _mm512_srlv_epi32(word, _mm512_slli_epi32(lane_numbers(), 1));
  } else if constexpr (kBits == 4) {
    const __m512i words = _mm512_set1_epi64(load_word<std::int64_t>(step));
    return _mm512_srlv_epi32(words, _mm512_slli_epi32(_mm512_srli_epi32(lane_numbers(), 1), 2));
  } else {
    static_assert(kBits == 8);
    return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(step)));
  }
}

/// Calls level(step) for each step and stores the 16 weights.
template <std::size_t kBits, class Level>
[[gnu::always_inline]] inline void expand_steps(const CodebookPanel& panel, Level level) {
  const std::uint8_t* step = panel.indices;
  float* out = panel.out;
  for (std::size_t t = 0; t < panel.steps; ++t, step += 2 * kBits, out += kF32PanelWidth) {
    _mm512_store_ps(out, level(step));
  }
}

void expand_1(const CodebookPanel& panel) {
  const __m512 low = _mm512_loadu_ps(panel.levels), high = _mm512_loadu_ps(panel.levels + kF32PanelWidth);
  expand_steps<1>(
      panel, [=](const std::uint8_t* step) __attribute__((always_inline)) {
        return _mm512_mask_blend_ps(load_word<__mmask16>(step), low, high);
      });
}

/// A table of 16.
template <std::size_t kBits>
void expand_table(const CodebookPanel& panel) {
  const __m512 table = _mm512_loadu_ps(panel.levels);
  expand_steps<kBits>(
      panel, [=](const std::uint8_t* step) __attribute__((always_inline)) {
        return _mm512_permutexvar_ps(indices_of<kBits>(step), table);
      });
}

void expand_two_tables(const CodebookPanel& panel) {
  const __m512 low = _mm512_loadu_ps(panel.levels), high = _mm512_loadu_ps(panel.levels + 16);
  expand_steps<8>(
      panel, [=](const std::uint8_t* step) __attribute__((always_inline)) {
        return _mm512_permutex2var_ps(low, indices_of<8>(step), high);
      });
}

/// 2^kTreeBits levels per channel: halves of the list are chosen by one bit after the other, the lowest
/// first.
template <std::size_t kBits, std::size_t kTreeBits>
void expand_tree(const CodebookPanel& panel) {
  constexpr std::size_t kLevels = std::size_t{1} << kTreeBits;
  __m512 levels[kLevels];
  unroll<kLevels>([&](auto l) __attribute__((always_inline)) {
    levels[l] = _mm512_loadu_ps(panel.levels + l * kF32PanelWidth);
  });
  expand_steps<kBits>(
      panel, [&](const std::uint8_t* step) __attribute__((always_inline)) {
        const __m512i indices = indices_of<kBits>(step);
        __m512 left[kLevels];
        unroll<kLevels>([&](auto l) __attribute__((always_inline)) { left[l] = levels[l]; });
        unroll<kTreeBits>([&](auto bit) __attribute__((always_inline)) {
          const __mmask16 mask = _mm512_test_epi32_mask(indices, _mm512_set1_epi32(1 << bit));
          unroll<(kLevels >> (bit + 1))>([&](auto l) __attribute__((always_inline)) {
            left[l] = _mm512_mask_blend_ps(mask, left[2 * l], left[2 * l + 1]);
          });
        });
        return left[0];
      });
}

void expand_gathered(const CodebookPanel& panel) {
  expand_steps<8>(
      panel, [&](const std::uint8_t* step) __attribute__((always_inline)) {
        __m512i at = indices_of<8>(step);
        if (panel.scope == LevelScope::Channel)
          at = _mm512_add_epi32(_mm512_slli_epi32(at, 4), lane_numbers());
        return _mm512_i32gather_ps(at, panel.levels, sizeof(float));
      });
}

void expand(const CodebookPanel& panel) noexcept {
  const bool layer = panel.scope == LevelScope::Layer;
  switch (panel.index_bits) {
    case 1:
      return expand_1(panel);
    case 2:
      return layer ? expand_table<2>(panel) : expand_tree<2, 2>(panel);
    case 4:
      if (layer) return expand_table<4>(panel);
      return panel.level_count == 8 ? expand_tree<4, 3>(panel) : expand_tree<4, 4>(panel);
    default:
      return layer && panel.level_count == 32 ? expand_two_tables(panel) : expand_gathered(panel);
  }
}

}  // namespace

constinit const CodebookKernels kCodebookAvx512{
    .name = kCodebookInfos[2].name, .isa = Isa::Avx512, .f32 = &kF32Avx512, .expand = expand};

}  // namespace bitplane::kernels
