// SPDX-License-Identifier: Apache-2.0
#include "bitserial/intrinsics.h"
#include "lut/lut_infos.h"
#include "lut/lut_tile_kernel.h"

namespace bitplane::kernels {
namespace {

/// 64 output channels in the bytes of a register, VPERMB in tables of 64 sums: groups of 6, one to a byte.
struct Avx512 {
  using Vec = __m512i;
  using Ints = __m512i;
  static constexpr LutLayout kLayout = kLutLayoutAvx512;
  static constexpr std::size_t kIntLanes = 16;
  /// A load of 64 bytes takes the first-level cache for a cycle, and so does each small one beside it: the
  /// codes are loaded 4 or 2 at a time.
  static constexpr bool kCodesInRegisters = true;
  static constexpr std::size_t kLowHalves = 64 * 64;  // behind the tables of the high halves

  static Vec zero() { return _mm512_setzero_si512(); }
  static void keep(Vec& v) { asm volatile("" : "+v"(v)); }
  static Vec load_bytes(const std::uint8_t* p) { return _mm512_load_si512(p); }
  template <std::size_t>
  static Vec unpack_index(Vec packed) {
    return packed;
  }
  /// table[high * 8 + low] = H[high] + L[low]: the 64 bytes of H are stored for each of the 64 codes that the
  /// high 3 elements can have in two planes, the 8 of L likewise. A code has the low elements in bits 0-5,
  /// the high ones in bits 8-13.
  template <class Word>
  static Vec table_part(const std::uint8_t* tables, Word code) {
    const Vec low = _mm512_set1_epi64(load_unaligned<long long>(tables + kLowHalves + (code & 0x3F) * 8));
    return _mm512_add_epi8(low, _mm512_load_si512(tables + ((code >> 2) & 0xFC0)));
  }
  static Vec look_up(Vec table, Vec index) { return _mm512_permutexvar_epi8(index, table); }
  static Vec add_bytes(Vec a, Vec b) { return _mm512_add_epi8(a, b); }
  static Vec add_words(Vec a, Vec b) { return _mm512_add_epi16(a, b); }
  static Vec sub_words(Vec a, Vec b) { return _mm512_sub_epi16(a, b); }
  static Vec high_bytes(Vec v) { return _mm512_srli_epi16(v, 8); }
  static Vec to_high_bytes(Vec v) { return _mm512_slli_epi16(v, 8); }
  static void store_words(std::uint16_t* p, Vec v) { _mm512_storeu_si512(p, v); }

  static Ints broadcast(std::int32_t value) { return _mm512_set1_epi32(value); }
  static Ints load(const std::int32_t* p) { return _mm512_loadu_si512(p); }
  static Ints load_words_as_ints(const std::uint16_t* p) {
    return _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static Ints add(Ints a, Ints b) { return _mm512_add_epi32(a, b); }
  static Ints multiply(Ints a, Ints b) { return _mm512_mullo_epi32(a, b); }
  static void store_result(std::int32_t* p, Ints v) { _mm512_storeu_si512(p, v); }
  static void store_result(float* p, Ints v) { _mm512_storeu_ps(p, _mm512_cvtepi32_ps(v)); }
  static std::int64_t popcount(std::uint64_t word) { return __builtin_popcountll(word); }
};

/// 24 bytes of a plane are 32 groups: 3 bytes to each qword, and from each qword 8 fields of 3 bits, the low
/// and the high half of each group. kFirstBit is where in its byte a field goes.
template <int kFirstBit>
[[gnu::always_inline]] inline __m512i halves_of(const std::byte* plane, __mmask64 bytes) {
  const __m512i to_qwords =
      _mm512_setr_epi64(0x020100, 0x050403, 0x080706, 0x0B0A09, 0x0E0D0C, 0x11100F, 0x141312, 0x171615);
  constexpr auto kFields = [] {
    std::uint64_t fields = 0;
    for (int i = 7; i >= 0; --i) fields = fields << 8 | static_cast<std::uint64_t>((3 * i - kFirstBit) & 63);
    return static_cast<long long>(fields);
  }();
  // Bytes 3..7 of each qword get byte 0 of the plane: no field that is kept reads them.
  const __m512i spread = _mm512_permutexvar_epi8(to_qwords, _mm512_maskz_loadu_epi8(bytes, plane));
  return _mm512_multishift_epi64_epi8(_mm512_set1_epi64(kFields), spread);
}

/// Codes of one pair of planes; kPlanes = 1: there is no second one.
template <int kPlanes>
[[gnu::always_inline]] inline void encode_part(const std::byte* first, const std::byte* second,
                                               std::size_t bytes, std::uint16_t* codes) {
  constexpr __mmask64 kWhole = 0xFFFFFF;
  const auto encode_some = [&](std::size_t at, __mmask64 inside) __attribute__((always_inline)) {
    __m512i halves = _mm512_and_si512(halves_of<0>(first + at, inside), _mm512_set1_epi8(0x07));
    if constexpr (kPlanes == 2) {
      const __m512i others = _mm512_and_si512(halves_of<3>(second + at, inside), _mm512_set1_epi8(0x38));
      halves = _mm512_or_si512(halves, others);
    }
    _mm512_storeu_si512(codes + at / 3 * 4, halves);
  };
  std::size_t at = 0;
  for (; at + 24 <= bytes; at += 24) encode_some(at, kWhole);
  if (at < bytes) encode_some(at, (__mmask64{1} << (bytes - at)) - 1);
}

void encode(const LutWindow& window) noexcept {
  const std::size_t bytes = window.words * sizeof(std::uint64_t);
  for (std::size_t part = 0; 2 * part < window.planes; ++part) {
    const std::byte* first = window.bits + 2 * part * window.plane_stride;
    std::uint16_t* codes = window.codes + part * window.part_stride;
    if (2 * part + 1 < window.planes) {
      encode_part<2>(first, first + window.plane_stride, bytes, codes);
    } else {
      encode_part<1>(first, nullptr, bytes, codes);
    }
  }
}

}  // namespace

constinit const LutKernels kLutAvx512{
    .info = kLutInfos[1],
    .layout = Avx512::kLayout,
    .pixel_sizes = {{8, 4, 2, 1}, {4, 2, 1}, {2, 1}},
    .run_tile =
        {{{run_lut_tile<Avx512, 1, 8, 1>, run_lut_tile<Avx512, 1, 4, 1>, run_lut_tile<Avx512, 1, 2, 1>,
           run_lut_tile<Avx512, 1, 1, 1>},
          {run_lut_tile<Avx512, 2, 4, 1>, run_lut_tile<Avx512, 2, 2, 1>, run_lut_tile<Avx512, 2, 1, 1>},
          {run_lut_tile<Avx512, 4, 2, 1>, run_lut_tile<Avx512, 4, 1, 1>}},
         {{run_lut_tile<Avx512, 1, 8, 2>, run_lut_tile<Avx512, 1, 4, 2>, run_lut_tile<Avx512, 1, 2, 2>,
           run_lut_tile<Avx512, 1, 1, 2>},
          {run_lut_tile<Avx512, 2, 4, 2>, run_lut_tile<Avx512, 2, 2, 2>, run_lut_tile<Avx512, 2, 1, 2>},
          {run_lut_tile<Avx512, 4, 2, 2>, run_lut_tile<Avx512, 4, 1, 2>}}},
    .encode = encode,
    .sum_window = sum_lut_window<Avx512>,
    .finish = finish_lut_unit<Avx512>,
    .transposed_channels = 0,
    .index_windows = nullptr,
    .finish_transposed = nullptr,
};

}  // namespace bitplane::kernels
