// SPDX-License-Identifier: Apache-2.0
#include <immintrin.h>

#include "bitserial/bitserial_infos.h"
#include "bitserial/tile_kernel.h"

namespace bitplane::kernels {
namespace {

/// 4 output channels in 4 qword lanes. Bits are counted per nibble by pshufb into byte lanes; a byte grows by
/// at most 8 per word, so 31 words fit before the bytes are summed into the qword totals.
struct Avx2 {
  using Words = __m256i;
  using Total = __m256i;
  using Ints = __m128i;
  using Floats = __m128;
  using Counter = __m256i;
  static constexpr int kLanes = 4;
  static constexpr std::size_t kFlushEvery = 31;

  static Words load_words(const std::uint64_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static Words broadcast_word(std::uint64_t word) { return _mm256_set1_epi64x(static_cast<long long>(word)); }
  static Total zero() { return _mm256_setzero_si256(); }
  static Total negate(Total total) { return _mm256_sub_epi64(_mm256_setzero_si256(), total); }
  static Total shift_left(Total total, unsigned shift) {
    return _mm256_sll_epi64(total, _mm_cvtsi32_si128(static_cast<int>(shift)));
  }
  static std::uint64_t popcount(std::uint64_t word) {
    return static_cast<std::uint64_t>(__builtin_popcountll(word));
  }
  template <PairOp kOp>
  static void count(Counter& counter, Words w, Words a) {
    const __m256i nibble_counts = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,  //
                                                   0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const __m256i low_nibbles = _mm256_set1_epi8(15);
    const Words pair = kOp == PairOp::And ? _mm256_and_si256(w, a) : _mm256_xor_si256(w, a);
    const __m256i low = _mm256_and_si256(pair, low_nibbles);
    const __m256i high = _mm256_and_si256(_mm256_srli_epi16(pair, 4), low_nibbles);
    counter = _mm256_add_epi8(counter, _mm256_add_epi8(_mm256_shuffle_epi8(nibble_counts, low),
                                                       _mm256_shuffle_epi8(nibble_counts, high)));
  }
  /// Low and high halves of the bytes, each in the low half of a byte of its own. With the weights split
  /// beforehand, AND needs no other mask, and a pair takes 6 operations instead of 8.
  struct Halves {
    __m256i low, high;
  };
  static void split(std::uint64_t* to, Words words) {
    const Halves halves = masked_halves(words);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), halves.low);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + kLanes), halves.high);
  }
  static Halves masked_halves(Words words) {
    const __m256i low_nibbles = _mm256_set1_epi8(15);
    return {_mm256_and_si256(words, low_nibbles), _mm256_and_si256(_mm256_srli_epi16(words, 4), low_nibbles)};
  }
  template <PairOp kOp>
  static Halves halves(Words words) {
    if constexpr (kOp == PairOp::And) return {words, _mm256_srli_epi16(words, 4)};
    return masked_halves(words);
  }
  template <PairOp kOp>
  static void count_split(Counter& counter, const std::uint64_t* w, const Halves& a) {
    const __m256i nibble_counts = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,  //
                                                   0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const __m256i low = load_words(w), high = load_words(w + kLanes);
    const bool is_and = kOp == PairOp::And;
    counter =
        _mm256_add_epi8(counter, _mm256_shuffle_epi8(nibble_counts, is_and ? _mm256_and_si256(low, a.low)
                                                                           : _mm256_xor_si256(low, a.low)));
    counter =
        _mm256_add_epi8(counter, _mm256_shuffle_epi8(nibble_counts, is_and ? _mm256_and_si256(high, a.high)
                                                                           : _mm256_xor_si256(high, a.high)));
  }
  static void keep(Counter& counter) { asm("" : "+x"(counter)); }
  /// Totals wait in memory while counters fill the registers.
  static void park(Total& total) { asm("" : "+m"(total)); }
  static Total flush(Total total, Counter counter) {
    return _mm256_add_epi64(total, _mm256_sad_epu8(counter, _mm256_setzero_si256()));
  }
  static Ints low_halves(Total total) {
    const __m256i low = _mm256_permutevar8x32_epi32(total, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
    return _mm256_castsi256_si128(low);
  }

  static Ints load(const std::int32_t* p) { return _mm_loadu_si128(reinterpret_cast<const Ints*>(p)); }
  static Ints broadcast(std::int32_t value) { return _mm_set1_epi32(value); }
  static Ints add(Ints a, Ints b) { return _mm_add_epi32(a, b); }
  static Ints subtract(Ints a, Ints b) { return _mm_sub_epi32(a, b); }
  static Ints negate(Ints a) { return _mm_sub_epi32(_mm_setzero_si128(), a); }
  static Ints shift_left(Ints a, unsigned shift) {
    return _mm_sll_epi32(a, _mm_cvtsi32_si128(static_cast<int>(shift)));
  }
  static void store(std::int32_t* p, Ints x) { _mm_storeu_si128(reinterpret_cast<Ints*>(p), x); }
  static Floats to_float(Ints x) { return _mm_cvtepi32_ps(x); }
  static Floats load(const float* p) { return _mm_loadu_ps(p); }
  static Floats broadcast(float value) { return _mm_set1_ps(value); }
  static Floats fma(Floats a, Floats b, Floats c) { return _mm_fmadd_ps(a, b, c); }
  static void store(float* p, Floats x) { _mm_storeu_ps(p, x); }

  struct Pair {
    using Ints = __m256i;
    using Floats = __m256;
    static constexpr int kLanes = 8;

    static Ints low_halves(Total a, Total b) {
      const __m256 mixed = _mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), 0x88);
      return _mm256_permute4x64_epi64(_mm256_castps_si256(mixed), 0xD8);
    }
    static Ints load(const std::int32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const Ints*>(p)); }
    static Ints broadcast(std::int32_t value) { return _mm256_set1_epi32(value); }
    static Ints add(Ints a, Ints b) { return _mm256_add_epi32(a, b); }
    static Ints subtract(Ints a, Ints b) { return _mm256_sub_epi32(a, b); }
    static Ints negate(Ints a) { return _mm256_sub_epi32(_mm256_setzero_si256(), a); }
    static Ints shift_left(Ints a, unsigned shift) {
      return _mm256_sll_epi32(a, _mm_cvtsi32_si128(static_cast<int>(shift)));
    }
    static void store(std::int32_t* p, Ints x) { _mm256_storeu_si256(reinterpret_cast<Ints*>(p), x); }
    static Floats to_float(Ints x) { return _mm256_cvtepi32_ps(x); }
    static Floats load(const float* p) { return _mm256_loadu_ps(p); }
    static Floats broadcast(float value) { return _mm256_set1_ps(value); }
    static Floats fma(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
    static void store(float* p, Floats x) { _mm256_storeu_ps(p, x); }
    using Mask = std::uint8_t;
    static Ints bit_xor(Ints a, Ints b) { return _mm256_xor_si256(a, b); }
    static Mask greater(Ints a, Ints b) { return signs(_mm256_castsi256_ps(_mm256_cmpgt_epi32(a, b))); }
    static Mask greater(Floats a, Floats b) { return signs(_mm256_cmp_ps(a, b, _CMP_GT_OQ)); }
    static Mask signs(Floats x) { return static_cast<Mask>(_mm256_movemask_ps(x)); }
  };
};

}  // namespace

constinit const BitSerialKernels kBitSerialAvx2{
    .info = kBitSerialInfos[1],
    .lanes = Avx2::kLanes,
    // XOR would mask both halves of every activation word: 15 operations where a word meets two split
    // registers, not 13.
    .bipolar_by_unsigned = PairOp::And,
    .passed_channels = 8,
    .register_sizes = {2, 1},
    .pixel_sizes = {4, 2, 1},
    .run_tile = {{{run_tile<Avx2, PairOp::And, 2, 4>, run_tile<Avx2, PairOp::And, 2, 2>,
                   run_vector<Avx2, PairOp::And, 2>},
                  {run_tile<Avx2, PairOp::And, 1, 4>, run_tile<Avx2, PairOp::And, 1, 2>,
                   run_vector<Avx2, PairOp::And, 1>}},
                 {{run_tile<Avx2, PairOp::Xor, 2, 4>, run_tile<Avx2, PairOp::Xor, 2, 2>,
                   run_vector<Avx2, PairOp::Xor, 2>},
                  {run_tile<Avx2, PairOp::Xor, 1, 4>, run_tile<Avx2, PairOp::Xor, 1, 2>,
                   run_vector<Avx2, PairOp::Xor, 1>}}},
    .count_planes = count_planes<Avx2>,
};

}  // namespace bitplane::kernels
