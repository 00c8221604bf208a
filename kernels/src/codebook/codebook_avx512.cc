// SPDX-License-Identifier: Apache-2.0
//
// Sixteen channels are one register. Per step, beside the load:
//
//   1 bit                     one blend under the mask that the two bytes are
//   2, 4 bits, per layer      shift, vpermps: the table is a register; vpermps ignores what lies above bit 3,
//                             and the table of 4 levels is repeated for it
//   2, 4 bits, per channel    a tree of blends under the masks of the index bits (4 bits: 15 of them)
//   8 bits, up to 32 levels   vpermi2ps
//   8 bits, more              gather
#include <cstring>
#include <utility>

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

// How the 16 weights of a step come about: constructed from a panel's levels, called with a step's indices.
// kPanels is how many of them fit into registers side by side; four hide the latency of fma.

struct Blend {
  static constexpr std::size_t kBits = 1, kPanels = 4;
  explicit Blend(const float* levels) : low(_mm512_loadu_ps(levels)), high(_mm512_loadu_ps(levels + 16)) {}
  [[gnu::always_inline]] __m512 operator()(const std::uint8_t* step) const {
    return _mm512_mask_blend_ps(load_word<__mmask16>(step), low, high);
  }
  __m512 low, high;
};

/// A table of 16.
template <std::size_t kIndexBits>
struct Permute {
  static constexpr std::size_t kBits = kIndexBits, kPanels = 4;
  explicit Permute(const float* levels) : table(_mm512_loadu_ps(levels)) {}
  [[gnu::always_inline]] __m512 operator()(const std::uint8_t* step) const {
    return _mm512_permutexvar_ps(indices_of<kBits>(step), table);
  }
  __m512 table;
};

/// A table of 32.
struct PermuteTwo {
  static constexpr std::size_t kBits = 8, kPanels = 4;
  explicit PermuteTwo(const float* levels)
      : low(_mm512_loadu_ps(levels)), high(_mm512_loadu_ps(levels + 16)) {}
  [[gnu::always_inline]] __m512 operator()(const std::uint8_t* step) const {
    return _mm512_permutex2var_ps(low, indices_of<8>(step), high);
  }
  __m512 low, high;
};

/// 2^kTreeBits levels per channel: halves of the list are chosen by one bit after the other, the lowest
/// first.
template <std::size_t kIndexBits, std::size_t kTreeBits>
struct Tree {
  static constexpr std::size_t kBits = kIndexBits, kPanels = kTreeBits == 2 ? 4 : 1;
  static constexpr std::size_t kLevels = std::size_t{1} << kTreeBits;
  explicit Tree(const float* from) {
    unroll<kLevels>([&](auto l) __attribute__((always_inline)) {
      levels[l] = _mm512_loadu_ps(from + l * kF32PanelWidth);
    });
  }
  [[gnu::always_inline]] __m512 operator()(const std::uint8_t* step) const {
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
  }
  __m512 levels[kLevels];
};

template <LevelScope kScope>
struct Gather {
  static constexpr std::size_t kBits = 8, kPanels = 1;
  explicit Gather(const float* from) : levels(from) {}
  [[gnu::always_inline]] __m512 operator()(const std::uint8_t* step) const {
    __m512i at = indices_of<8>(step);
    if constexpr (kScope == LevelScope::Channel)
      at = _mm512_add_epi32(_mm512_slli_epi32(at, 4), lane_numbers());
    return _mm512_i32gather_ps(at, levels, sizeof(float));
  }
  const float* levels;
};

template <class Weights>
void expand_as(const CodebookPanel& panel) {
  const Weights weights(panel.levels);
  const std::uint8_t* step = panel.indices;
  float* out = panel.out;
  for (std::size_t t = 0; t < panel.steps; ++t, step += 2 * Weights::kBits, out += kF32PanelWidth) {
    _mm512_store_ps(out, weights(step));
  }
}

/// Panels first .. first + kPanels of the row.
template <class Weights, std::size_t... kPanel>
[[gnu::always_inline]] inline void multiply_panels(const CodebookRow& row, std::size_t first,
                                                   std::index_sequence<kPanel...>) {
  constexpr std::size_t kPanels = sizeof...(kPanel);
  const Weights weights[] = {Weights(row.panel.levels + (first + kPanel) * row.level_stride)...};
  const std::uint8_t* step[] = {row.panel.indices + (first + kPanel) * row.index_stride...};
  __m512 sum[kPanels];
  unroll<kPanels>([&](auto p) __attribute__((always_inline)) { sum[p] = _mm512_setzero_ps(); });
  for (std::size_t t = 0; t < row.panel.steps; ++t) {
    const __m512 x = _mm512_set1_ps(row.a[row.step_offset[t]]);
    unroll<kPanels>([&](auto p) __attribute__((always_inline)) {
      sum[p] = _mm512_fmadd_ps(x, weights[p](step[p]), sum[p]);
      step[p] += 2 * Weights::kBits;
    });
  }
  unroll<kPanels>([&](auto p) __attribute__((always_inline)) {
    const std::size_t column = (first + p) * kF32PanelWidth, left = row.columns - column;
    const auto mask = static_cast<__mmask16>(left < kF32PanelWidth ? (1U << left) - 1U : 0xffffU);
    _mm512_mask_storeu_ps(row.c + column, mask, sum[p]);
  });
}

template <class Weights>
void multiply_row(const CodebookRow& row) noexcept {
  const std::size_t panels = (row.columns + kF32PanelWidth - 1) / kF32PanelWidth;
  std::size_t panel = 0;
  for (; panel + Weights::kPanels <= panels; panel += Weights::kPanels)
    multiply_panels<Weights>(row, panel, std::make_index_sequence<Weights::kPanels>{});
  for (; panel < panels; ++panel) multiply_panels<Weights>(row, panel, std::index_sequence<0>{});
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
      return layer ? kForm<Permute<2>> : kForm<Tree<2, 2>>;
    case 4:
      if (layer) return kForm<Permute<4>>;
      return panel.level_count == 8 ? kForm<Tree<4, 3>> : kForm<Tree<4, 4>>;
    default:
      if (!layer) return kForm<Gather<LevelScope::Channel>>;
      return panel.level_count == 32 ? kForm<PermuteTwo> : kForm<Gather<LevelScope::Layer>>;
  }
}

void expand(const CodebookPanel& panel) noexcept {
  form_of(panel).expand(panel);
}
MultiplyCodebookRow row_form(const CodebookPanel& panel) noexcept {
  return form_of(panel).multiply_row;
}

}  // namespace

constinit const CodebookKernels kCodebookAvx512{.name = kCodebookInfos[2].name,
                                                .isa = Isa::Avx512,
                                                .f32 = &kF32Avx512,
                                                .expand = expand,
                                                .row_form = row_form};

}  // namespace bitplane::kernels
