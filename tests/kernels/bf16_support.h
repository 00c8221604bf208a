// SPDX-License-Identifier: Apache-2.0
//
// What the tests of family `bf16` share: its arithmetic as bf16.h words it, step by step on scalars, the list
// of kernels to try, and tiles for machines that have none.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "bf16/bf16_kernels.h"
#include "bitplane/kernels/bf16.h"
#include "kernels/emulated_dot.h"
#include "kernels/f32_support.h"

namespace bitplane::kernels {

// ---- the oracle

inline float without_denormals(float x) {
  return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(0.0F, x) : x;
}

/// The nearest number of 8 significant bits, by comparing with the two neighbours.
inline float rounded_to_bf16(float x) {
  if (std::isnan(x) || std::isinf(x)) return x;
  x = without_denormals(x);
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(x), low_bits = bits & 0xffff0000U;
  const auto below = static_cast<double>(std::bit_cast<float>(low_bits));  // nearer to zero
  const std::uint32_t high_bits = low_bits + 0x10000U;
  const bool overflow = (high_bits & 0x7f800000U) == 0x7f800000U;
  const double above =
      overflow ? std::copysign(0x1p128, below) : static_cast<double>(std::bit_cast<float>(high_bits));
  const double to_below = std::abs(static_cast<double>(x) - below);
  const double to_above = std::abs(above - static_cast<double>(x));
  const bool up = to_above < to_below || (to_above == to_below && (low_bits & 0x10000U) != 0);
  return std::bit_cast<float>(up ? high_bits : low_bits);
}

inline float fma_without_denormals(float a, float b, float c) {
  return without_denormals(std::fma(without_denormals(a), without_denormals(b), without_denormals(c)));
}

/// Steps of a product; a run begins a new pair or block.
struct Steps {
  std::vector<float> a, b;
  void add(float x, float y) {
    a.push_back(rounded_to_bf16(x));
    b.push_back(rounded_to_bf16(y));
  }
  void end_run(std::size_t multiple) {
    while (a.size() % multiple != 0) add(0.0F, 0.0F);
  }
};

/// What an instruction does with them.
struct Bf16Arithmetic {
  std::size_t block;  ///< steps: 2 or 32
  [[nodiscard]] float sum(const Steps& steps, float c) const {
    for (std::size_t t = 0; t < steps.a.size(); t += block) {
      if (block == 2) {
        c = fma_without_denormals(steps.a[t + 1], steps.b[t + 1], c);
        c = fma_without_denormals(steps.a[t], steps.b[t], c);
        continue;
      }
      float even = 0.0F, odd = 0.0F;
      for (std::size_t i = t; i < t + block; i += 2) {
        even = fma_without_denormals(steps.a[i], steps.b[i], even);
        odd = fma_without_denormals(steps.a[i + 1], steps.b[i + 1], odd);
      }
      c = without_denormals(without_denormals(c) + without_denormals(even + odd));
    }
    return c;
  }
};

/// As bits_of, all NaN being one.
inline std::vector<std::uint32_t> bits_with_one_nan(std::vector<float> values) {
  for (float& v : values) {
    if (std::isnan(v)) v = std::bit_cast<float>(0x7fc00000U);
  }
  return bits_of(values);
}

// ---- tiles where there are none

namespace emulated {

struct Bf16Tiles : Tiles {
  static float element(int tile, std::size_t row, std::size_t at) {
    std::uint16_t half = 0;
    std::memcpy(&half, &tiles[tile][row][at * 2], 2);
    const std::uint32_t bits = static_cast<std::uint32_t>(half) << 16;
    return std::bit_cast<float>((bits & 0x7f800000U) == 0 ? bits & 0x80000000U : bits);
  }
  static float flush(float x) {
    const auto bits = std::bit_cast<std::uint32_t>(x);
    return (bits & 0x7f800000U) == 0 ? std::bit_cast<float>(bits & 0x80000000U) : x;
  }
  /// As the manual words TDPBF16PS.
  template <int kSums, int kRows, int kColumns>
  static void dot() {
    if (configured != 1) std::memset(tiles, 0x77, sizeof(tiles));  // the CPU would fault
    for (std::size_t m = 0; m < kTileRows; ++m) {
      float temp[2 * kTileChannels] = {};
      for (std::size_t k = 0; k < kTileRowBytes / 4; ++k) {
        for (std::size_t n = 0; n < 2 * kTileChannels; ++n) {
          const float a = element(kRows, m, 2 * k + n % 2), b = element(kColumns, k, n);
          temp[n] = flush(std::fma(a, b, temp[n]));
        }
      }
      for (std::size_t n = 0; n < kTileChannels; ++n) {
        float sum = 0.0F;
        std::memcpy(&sum, &tiles[kSums][m][n * 4], 4);
        sum = flush(flush(sum) + flush(temp[2 * n] + temp[2 * n + 1]));
        std::memcpy(&tiles[kSums][m][n * 4], &sum, 4);
      }
    }
  }
};

inline std::uint16_t round_bits(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if (std::isnan(x)) return static_cast<std::uint16_t>((bits >> 16) | 0x40U);
  if ((bits & 0x7f800000U) == 0) return static_cast<std::uint16_t>(bits >> 16 & 0x8000U);
  return static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);
}
inline void round_row(const float* from, std::size_t count, std::uint16_t* to) noexcept {
  for (std::size_t i = 0; i < count; ++i) to[i] = round_bits(from[i]);
}
inline void pair_rows(const float* even, const float* odd, std::size_t count, std::uint32_t* to) noexcept {
  for (std::size_t i = 0; i < (count + 15) / 16 * 16; ++i) {
    const std::uint32_t low = even != nullptr && i < count ? round_bits(even[i]) : 0U;
    const std::uint32_t high = odd != nullptr && i < count ? round_bits(odd[i]) : 0U;
    to[i] = low | high << 16;
  }
}

inline void transpose(const float* const* rows, std::size_t elements, std::size_t columns, std::byte* to,
                      std::size_t row_bytes) noexcept {
  for (std::size_t i = 0; i < elements * columns; ++i) {
    const std::size_t element = i % elements, column = i / elements;
    const std::uint16_t bits =
        rows[element] == nullptr ? std::uint16_t{0} : round_bits(rows[element][column]);
    std::memcpy(to + column * row_bytes + 2 * element, &bits, 2);
  }
}

// Chunks and blocks of rows are short, so that small layers have several.
inline const Bf16Kernels kBf16Tiles{
    .info = {.name = "bf16_emulated_tiles", .family = Family::Bf16, .isa = Isa::Scalar, .tile = ""},
    .registers = kTileGroups,
    .segment_steps = kTileSteps,
    .slack_rows = kTileRows - 1,
    .chunk_steps = 2 * kTileSteps,
    .row_block = 3 * kTileRows,
    .run_panel = {run_tile_panel<Bf16Tiles, 1>, run_tile_panel<Bf16Tiles, 2>, nullptr, nullptr},
    .round_row = round_row,
    .pair_rows = pair_rows,
    .transpose = transpose,
    .begin = Tiles::configure,
    .end = Tiles::release,
};

}  // namespace emulated

// ---- what to test

struct Bf16Candidate {
  std::string_view name;
  const Bf16Kernels* kernels;  ///< null: this machine cannot run them
  Bf16Arithmetic arithmetic;
};
inline void PrintTo(const Bf16Candidate& candidate, std::ostream* out) {
  *out << candidate.name;
}

inline std::vector<Bf16Candidate> bf16_candidates() {
  std::vector<Bf16Candidate> all{{"emulated_tiles", &emulated::kBf16Tiles, {32}}};
  for (const IsaInfo& isa : built_isas(Family::Bf16)) {
    const bool runs = test_cpu().has(isa.isa);
    all.push_back({isa.name,
                   runs ? select_bf16(test_cpu().limited_to(isa.isa)) : nullptr,
                   {isa.isa == Isa::Amx ? std::size_t{32} : std::size_t{2}}});
  }
  return all;
}

class Bf16Test : public testing::TestWithParam<Bf16Candidate> {
 protected:
  void SetUp() override {
    if (GetParam().kernels == nullptr) GTEST_SKIP() << GetParam().name << " cannot run here";
    if (GetParam().name == "emulated_tiles") return;
    ASSERT_EQ(isa_name(GetParam().kernels->info.isa), GetParam().name);
  }
  static const Bf16Kernels& kernels() { return *GetParam().kernels; }
  static const Bf16Arithmetic& arithmetic() { return GetParam().arithmetic; }
};

}  // namespace bitplane::kernels
