// SPDX-License-Identifier: Apache-2.0
#include "bitserial/bitserial_infos.h"
#include "bitserial/intrinsics.h"
#include "bitserial/tile_kernel.h"

namespace bitplane::kernels {
namespace {

/// 8 output channels in 8 qword lanes, counted by VPOPCNTQ; the counters cannot overflow.
struct Avx512 {
  using Words = __m512i;
  using Total = __m512i;
  using Ints = __m256i;
  using Floats = __m256;
  static constexpr int kLanes = 8;
  static constexpr std::size_t kFlushEvery = 0;

  static Words load_words(const std::uint64_t* p) { return _mm512_loadu_si512(p); }
  static Words broadcast_word(std::uint64_t word) { return _mm512_set1_epi64(static_cast<long long>(word)); }
  static Total zero() { return _mm512_setzero_si512(); }
  static Total negate(Total total) { return _mm512_sub_epi64(_mm512_setzero_si512(), total); }
  static Total shift_left(Total total, unsigned shift) {
    return _mm512_sll_epi64(total, _mm_cvtsi32_si128(static_cast<int>(shift)));
  }
  static std::uint64_t popcount(std::uint64_t word) {
    return static_cast<std::uint64_t>(__builtin_popcountll(word));
  }
  template <PairOp kOp>
  static void count(Total& total, Words w, Words a) {
    const Words pair = kOp == PairOp::And ? _mm512_and_si512(w, a) : _mm512_xor_si512(w, a);
    total = _mm512_add_epi64(total, _mm512_popcnt_epi64(pair));
  }
  static Ints low_halves(Total total) { return _mm512_cvtepi64_epi32(total); }

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
  static Mask greater(Ints a, Ints b) { return _mm256_cmpgt_epi32_mask(a, b); }
  static Mask greater(Floats a, Floats b) { return _mm256_cmp_ps_mask(a, b, _CMP_GT_OQ); }

  struct Pair {
    using Ints = __m512i;
    using Floats = __m512;
    static constexpr int kLanes = 16;

    static Ints low_halves(Total a, Total b) {
      const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
      return _mm512_permutex2var_epi32(a, even, b);
    }
    static Ints load(const std::int32_t* p) { return _mm512_loadu_si512(p); }
    static Ints broadcast(std::int32_t value) { return _mm512_set1_epi32(value); }
    static Ints add(Ints a, Ints b) { return _mm512_add_epi32(a, b); }
    static Ints subtract(Ints a, Ints b) { return _mm512_sub_epi32(a, b); }
    static Ints negate(Ints a) { return _mm512_sub_epi32(_mm512_setzero_si512(), a); }
    static Ints shift_left(Ints a, unsigned shift) {
      return _mm512_sll_epi32(a, _mm_cvtsi32_si128(static_cast<int>(shift)));
    }
    static void store(std::int32_t* p, Ints x) { _mm512_storeu_si512(p, x); }
    static Floats to_float(Ints x) { return _mm512_cvtepi32_ps(x); }
    static Floats load(const float* p) { return _mm512_loadu_ps(p); }
    static Floats broadcast(float value) { return _mm512_set1_ps(value); }
    static Floats fma(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
    static void store(float* p, Floats x) { _mm512_storeu_ps(p, x); }
    using Mask = std::uint16_t;
    static Ints bit_xor(Ints a, Ints b) { return _mm512_xor_si512(a, b); }
    static Mask greater(Ints a, Ints b) { return _mm512_cmpgt_epi32_mask(a, b); }
    static Mask greater(Floats a, Floats b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
  };
};

}  // namespace

constinit const BitSerialKernels kBitSerialAvx512{
    .info = kBitSerialInfos[2],
    .lanes = Avx512::kLanes,
    .bipolar_by_unsigned = PairOp::Xor,
    .passed_channels = 8,
    .register_sizes = {4, 2, 1},
    .pixel_sizes = {6, 4, 2, 1},
    .run_tile = {{{run_tile<Avx512, PairOp::And, 4, 6>, run_tile<Avx512, PairOp::And, 4, 4>,
                   run_tile<Avx512, PairOp::And, 4, 2>, run_vector<Avx512, PairOp::And, 4>},
                  {run_tile<Avx512, PairOp::And, 2, 6>, run_tile<Avx512, PairOp::And, 2, 4>,
                   run_tile<Avx512, PairOp::And, 2, 2>, run_vector<Avx512, PairOp::And, 2>},
                  {run_tile<Avx512, PairOp::And, 1, 6>, run_tile<Avx512, PairOp::And, 1, 4>,
                   run_tile<Avx512, PairOp::And, 1, 2>, run_vector<Avx512, PairOp::And, 1>}},
                 {{run_tile<Avx512, PairOp::Xor, 4, 6>, run_tile<Avx512, PairOp::Xor, 4, 4>,
                   run_tile<Avx512, PairOp::Xor, 4, 2>, run_vector<Avx512, PairOp::Xor, 4>},
                  {run_tile<Avx512, PairOp::Xor, 2, 6>, run_tile<Avx512, PairOp::Xor, 2, 4>,
                   run_tile<Avx512, PairOp::Xor, 2, 2>, run_vector<Avx512, PairOp::Xor, 2>},
                  {run_tile<Avx512, PairOp::Xor, 1, 6>, run_tile<Avx512, PairOp::Xor, 1, 4>,
                   run_tile<Avx512, PairOp::Xor, 1, 2>, run_vector<Avx512, PairOp::Xor, 1>}}},
    .count_planes = count_planes<Avx512>,
};

}  // namespace bitplane::kernels
