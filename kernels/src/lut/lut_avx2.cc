// SPDX-License-Identifier: Apache-2.0
#include <immintrin.h>

#include "lut/lut_infos.h"
#include "lut/lut_tile_kernel.h"

namespace bitplane::kernels {
namespace {

/// 32 output channels in the bytes of a register, PSHUFB in tables of 16 sums: groups of 4, two to a byte.
struct Avx2 {
  using Vec = __m256i;
  using Ints = __m256i;
  static constexpr LutLayout kLayout = kLutLayoutAvx2;
  static constexpr std::size_t kIntLanes = 8;
  static constexpr bool kCodesInRegisters = false;

  static Vec zero() { return _mm256_setzero_si256(); }
  static void keep(Vec& v) { asm volatile("" : "+x"(v)); }
  static Vec load_bytes(const std::uint8_t* p) { return _mm256_load_si256(reinterpret_cast<const Vec*>(p)); }
  template <std::size_t kHalf>
  static Vec unpack_index(Vec packed) {
    return _mm256_and_si256(kHalf == 0 ? packed : _mm256_srli_epi16(packed, 4), _mm256_set1_epi8(15));
  }
  /// A code is the offset of its table.
  template <class Word>
  static Vec table_part(const std::uint8_t* tables, Word code) {
    const auto* at = reinterpret_cast<const __m128i*>(tables + static_cast<std::uint16_t>(code));
    return _mm256_broadcastsi128_si256(_mm_load_si128(at));
  }
  static Vec look_up(Vec table, Vec index) { return _mm256_shuffle_epi8(table, index); }
  static Vec add_bytes(Vec a, Vec b) { return _mm256_add_epi8(a, b); }
  static Vec add_words(Vec a, Vec b) { return _mm256_add_epi16(a, b); }
  static Vec sub_words(Vec a, Vec b) { return _mm256_sub_epi16(a, b); }
  static Vec high_bytes(Vec v) { return _mm256_srli_epi16(v, 8); }
  static Vec to_high_bytes(Vec v) { return _mm256_slli_epi16(v, 8); }
  static void store_words(std::uint16_t* p, Vec v) { _mm256_storeu_si256(reinterpret_cast<Vec*>(p), v); }

  static Ints broadcast(std::int32_t value) { return _mm256_set1_epi32(value); }
  static Ints load(const std::int32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const Ints*>(p)); }
  static Ints load_words_as_ints(const std::uint16_t* p) {
    return _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static Ints add(Ints a, Ints b) { return _mm256_add_epi32(a, b); }
  static Ints multiply(Ints a, Ints b) { return _mm256_mullo_epi32(a, b); }
  static void store_result(std::int32_t* p, Ints v) { _mm256_storeu_si256(reinterpret_cast<Ints*>(p), v); }
  static void store_result(float* p, Ints v) { _mm256_storeu_ps(p, _mm256_cvtepi32_ps(v)); }
  /// 8 x 8.
  static void transpose(Ints (&rows)[8]) {
    Ints pairs[8], quads[8];
    unroll<4>([&](auto i) __attribute__((always_inline)) {
      pairs[2 * i] = _mm256_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
      pairs[2 * i + 1] = _mm256_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
    });
    unroll<2>([&](auto h) __attribute__((always_inline)) {
      unroll<2>([&](auto i) __attribute__((always_inline)) {
        quads[4 * h + 2 * i] = _mm256_unpacklo_epi64(pairs[4 * h + i], pairs[4 * h + 2 + i]);
        quads[4 * h + 2 * i + 1] = _mm256_unpackhi_epi64(pairs[4 * h + i], pairs[4 * h + 2 + i]);
      });
    });
    unroll<4>([&](auto i) __attribute__((always_inline)) {
      rows[i] = _mm256_permute2x128_si256(quads[i], quads[4 + i], 0x20);
      rows[4 + i] = _mm256_permute2x128_si256(quads[i], quads[4 + i], 0x31);
    });
  }
  static std::int64_t popcount(std::uint64_t word) { return __builtin_popcountll(word); }
};

/// 16 bytes of codes, (nibble of the pair's first plane + 16 * nibble of the second), as 16 offsets of
/// tables.
[[gnu::always_inline]] inline void store_codes(std::uint16_t* codes, __m128i bytes) {
  const __m256i offsets = _mm256_slli_epi16(_mm256_cvtepu8_epi16(bytes), 4);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(codes), offsets);
}

/// Codes of one pair of planes; kPlanes = 1: there is no second one.
template <int kPlanes>
[[gnu::always_inline]] inline void encode_part(const std::byte* first, const std::byte* second,
                                               std::size_t words, std::uint16_t* codes) {
  const __m128i low_nibbles = _mm_set1_epi8(15);
  // 8 or 16 bytes of both planes; the codes of the low nibbles go before those of the high ones.
  const auto even_codes = [&](__m128i a, __m128i b) __attribute__((always_inline)) {
    const __m128i low = _mm_and_si128(a, low_nibbles);
    if constexpr (kPlanes == 1) return low;
    return _mm_or_si128(low, _mm_slli_epi16(_mm_and_si128(b, low_nibbles), 4));
  };
  const auto odd_codes = [&](__m128i a, __m128i b) __attribute__((always_inline)) {
    const __m128i high = _mm_and_si128(_mm_srli_epi16(a, 4), low_nibbles);
    if constexpr (kPlanes == 1) return high;
    return _mm_or_si128(high, _mm_andnot_si128(low_nibbles, b));
  };
  std::size_t word = 0;
  for (; word + 2 <= words; word += 2, codes += 32) {
    const auto* from = reinterpret_cast<const __m128i*>(first + word * sizeof(std::uint64_t));
    const auto* other = reinterpret_cast<const __m128i*>(second + word * sizeof(std::uint64_t));
    const __m128i a = _mm_loadu_si128(from), b = kPlanes == 1 ? a : _mm_loadu_si128(other);
    store_codes(codes, _mm_unpacklo_epi8(even_codes(a, b), odd_codes(a, b)));
    store_codes(codes + 16, _mm_unpackhi_epi8(even_codes(a, b), odd_codes(a, b)));
  }
  if (word < words) {
    const auto* from = reinterpret_cast<const __m128i*>(first + word * sizeof(std::uint64_t));
    const auto* other = reinterpret_cast<const __m128i*>(second + word * sizeof(std::uint64_t));
    const __m128i a = _mm_loadl_epi64(from), b = kPlanes == 1 ? a : _mm_loadl_epi64(other);
    store_codes(codes, _mm_unpacklo_epi8(even_codes(a, b), odd_codes(a, b)));
  }
}

void encode(const LutWindow& window) noexcept {
  for (std::size_t part = 0; 2 * part < window.planes; ++part) {
    const std::byte* first = window.bits + 2 * part * window.plane_stride;
    std::uint16_t* codes = window.codes + part * window.part_stride;
    if (2 * part + 1 < window.planes) {
      encode_part<2>(first, first + window.plane_stride, window.words, codes);
    } else {
      encode_part<1>(first, first, window.words, codes);
    }
  }
}

/// 16 x 16 bytes in each half of the registers. Row i of the lower half is pixel i / 2 or, for odd i,
/// 16 + i / 2, 8 more in the upper half: even lanes get the first 16 pixels, odd ones the others.
[[gnu::always_inline]] inline void transpose_bytes(__m256i (&rows)[16]) {
  // Four times: row i and row i + 8 interleaved become rows 2i and 2i + 1.
  unroll<4>([&](auto) __attribute__((always_inline)) {
    __m256i next[16];
    unroll<8>([&](auto i) __attribute__((always_inline)) {
      next[2 * i] = _mm256_unpacklo_epi8(rows[i], rows[i + 8]);
      next[2 * i + 1] = _mm256_unpackhi_epi8(rows[i], rows[i + 8]);
    });
    unroll<16>([&](auto i) __attribute__((always_inline)) { rows[i] = next[i]; });
  });
}

void index_windows(const LutIndexing& indexing) noexcept {
  for (std::size_t word = 0; word < indexing.words; word += 2) {
    const std::byte* column = indexing.rows + word * sizeof(std::uint64_t);
    __m256i rows[16];
    unroll<16>([&](auto i) __attribute__((always_inline)) {
      constexpr std::size_t kPixel = i % 2 * 16 + i / 2;
      const auto row = [&](std::size_t pixel) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(column + pixel * indexing.row_stride));
      };
      rows[i] = _mm256_inserti128_si256(_mm256_castsi128_si256(row(kPixel)), row(kPixel + 8), 1);
    });
    transpose_bytes(rows);
    std::uint8_t* to = indexing.indices + word * sizeof(std::uint64_t) * indexing.index_stride;
    unroll<16>([&](auto i) __attribute__((always_inline)) {
      if (word * 8 + i < indexing.steps) {
        _mm256_store_si256(reinterpret_cast<__m256i*>(to + i * indexing.index_stride), rows[i]);
      }
    });
  }
}

}  // namespace

constinit const LutKernels kLutAvx2{
    .info = kLutInfos[0],
    .layout = Avx2::kLayout,
    .pixel_sizes = {{4, 2, 1}, {4, 2, 1}},
    .run_tile = {{{run_lut_tile<Avx2, 1, 4, 1>, run_lut_tile<Avx2, 1, 2, 1>, run_lut_tile<Avx2, 1, 1, 1>},
                  {run_lut_tile<Avx2, 2, 4, 1>, run_lut_tile<Avx2, 2, 2, 1>, run_lut_tile<Avx2, 2, 1, 1>}},
                 {{run_lut_tile<Avx2, 1, 4, 2>, run_lut_tile<Avx2, 1, 2, 2>, run_lut_tile<Avx2, 1, 1, 2>},
                  {run_lut_tile<Avx2, 2, 4, 2>, run_lut_tile<Avx2, 2, 2, 2>, run_lut_tile<Avx2, 2, 1, 2>}}},
    .encode = encode,
    .sum_window = sum_lut_window<Avx2>,
    .finish = finish_lut_unit<Avx2>,
    .transposed_channels = Avx2::kIntLanes,
    .index_windows = index_windows,
    .finish_transposed = finish_lut_transposed<Avx2>,
};

}  // namespace bitplane::kernels
