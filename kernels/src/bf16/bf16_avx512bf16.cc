// SPDX-License-Identifier: Apache-2.0
//
// Tiles of up to 24 accumulators: R vectors of 16 columns, by tile_rows(R) rows; R vectors of pairs of b, one
// broadcast pair of a.
// What the generated code showed (GCC 12): see run_rows().
#include <algorithm>
#include <array>
#include <utility>

#include "bf16/bf16_infos.h"
#include "bf16/bf16_kernels.h"
#include "bf16/round_rows.h"
#include "isa_unroll.h"

namespace bitplane::kernels {
namespace {

constexpr std::size_t kTileRegisters = 4, kMaxTileRows = 12;

/// A product of pairs takes 6 cycles and one begins in each, so narrow tiles need rows.
constexpr std::size_t tile_rows(std::size_t registers) {
  return std::min(kMaxTileRows, 24 / registers);
}

[[gnu::always_inline]] inline __m512 add_pairs(__m512 sums, std::uint32_t a, __m512i b) {
  // The types of the operands differ between compilers, the bits do not.
  using Pairs = decltype(_mm512_cvtne2ps_pbh(__m512{}, __m512{}));
  return _mm512_dpbf16_ps(sums, __builtin_bit_cast(Pairs, _mm512_set1_epi32(static_cast<std::int32_t>(a))),
                          __builtin_bit_cast(Pairs, b));
}

template <std::size_t kRows, std::size_t kRegisters>
void run_rows(const DotPanel& panel, std::size_t first) {
  const __mmask16 last = first_lanes(panel.channels - (kRegisters - 1) * kBf16Lanes);
  const auto mask = [&](std::size_t v) { return v + 1 == kRegisters ? last : first_lanes(kBf16Lanes); };
  __m512 sums[kRows][kRegisters];
  unroll<kRows>([&](auto r) __attribute__((always_inline)) {
    const std::byte* from = panel.out + (first + r) * panel.out_stride;
    unroll<kRegisters>([&](auto v) __attribute__((always_inline)) {
      sums[r][v] = panel.start != nullptr ? _mm512_setzero_ps()
                                          : _mm512_maskz_loadu_ps(mask(v), from + v * sizeof(__m512));
    });
  });

  const std::byte* b = panel.weights;
  for (std::size_t s = 0; s < panel.segment_count; ++s) {
    const DotSegment segment = panel.segments[s];
    const std::byte* row[kRows];
    unroll<kRows>([&](auto r) __attribute__((always_inline)) {
      row[r] = panel.pixels[first + r] + segment.offset;
      asm("" : "+r"(row[r]));
    });
    for (std::size_t at = 0; at < segment.steps * kStepBytes; at += kStepBytes) {
      __m512i pairs[kRegisters];
      unroll<kRegisters>([&](auto v) __attribute__((always_inline)) {
        pairs[v] = _mm512_loadu_si512(b + v * sizeof(__m512i));
      });
      unroll<kRows>([&](auto r) __attribute__((always_inline)) {
        std::uint32_t a;
        __builtin_memcpy(&a, row[r] + at, sizeof(a));
        unroll<kRegisters>([&](auto v) __attribute__((always_inline)) {
          sums[r][v] = add_pairs(sums[r][v], a, pairs[v]);
        });
      });
      b += kRegisters * sizeof(__m512i);
    }
  }

  unroll<kRows>([&](auto r) __attribute__((always_inline)) {
    std::byte* to = panel.out + (first + r) * panel.out_stride;
    unroll<kRegisters>([&](auto v) __attribute__((always_inline)) {
      _mm512_mask_storeu_ps(to + v * sizeof(__m512), mask(v), sums[r][v]);
    });
  });
}

template <std::size_t kRegisters>
void run_panel(const DotPanel& panel) noexcept {
  constexpr std::size_t kTileRows = tile_rows(kRegisters);
  using RunRows = void (*)(const DotPanel&, std::size_t);
  static constexpr auto kRun = []<std::size_t... kLess>(std::index_sequence<kLess...>) {
    return std::array<RunRows, kTileRows>{run_rows<kLess + 1, kRegisters>...};
  }
  (std::make_index_sequence<kTileRows>{});
  for (std::size_t row = 0; row < panel.pixel_count;) {
    const std::size_t left = panel.pixel_count - row, parts = (left + kTileRows - 1) / kTileRows;
    const std::size_t rows = (left + parts - 1) / parts;  // 12 rows in tiles of 8: 6 6
    kRun[rows - 1](panel, row);
    row += rows;
  }
}

}  // namespace

constinit const Bf16Kernels kBf16Avx512Bf16{
    .info = kBf16Infos[0],
    .registers = kTileRegisters,
    .segment_steps = 1,
    .slack_rows = 0,
    .chunk_steps = 512,
    .row_block = kMaxTileRows,
    .run_panel = {run_panel<1>, run_panel<2>, run_panel<3>, run_panel<4>},
    .round_row = round_row,
    .pair_rows = pair_rows,
    .transpose = transpose,
    .begin = nullptr,
    .end = nullptr,
};

}  // namespace bitplane::kernels
