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
  static constexpr int kLanes = 8;
  static constexpr std::size_t kFlushEvery = 0;

  static Words load(const std::uint64_t* p) { return _mm512_loadu_si512(p); }
  static Words broadcast(std::uint64_t word) { return _mm512_set1_epi64(static_cast<long long>(word)); }
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
  static void store_low(std::int32_t* out, Total total) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm512_cvtepi64_epi32(total));
  }
};

}  // namespace

constinit const BitSerialKernels kBitSerialAvx512{
    .info = kBitSerialInfos[2],
    .lanes = Avx512::kLanes,
    .register_sizes = {4, 2, 1},
    .pixel_sizes = {6, 4, 2, 1},
    .run_tile = {{{run_tile<Avx512, PairOp::And, 4, 6>, run_tile<Avx512, PairOp::And, 4, 4>,
                   run_tile<Avx512, PairOp::And, 4, 2>, run_tile<Avx512, PairOp::And, 4, 1>},
                  {run_tile<Avx512, PairOp::And, 2, 6>, run_tile<Avx512, PairOp::And, 2, 4>,
                   run_tile<Avx512, PairOp::And, 2, 2>, run_tile<Avx512, PairOp::And, 2, 1>},
                  {run_tile<Avx512, PairOp::And, 1, 6>, run_tile<Avx512, PairOp::And, 1, 4>,
                   run_tile<Avx512, PairOp::And, 1, 2>, run_tile<Avx512, PairOp::And, 1, 1>}},
                 {{run_tile<Avx512, PairOp::Xor, 4, 6>, run_tile<Avx512, PairOp::Xor, 4, 4>,
                   run_tile<Avx512, PairOp::Xor, 4, 2>, run_tile<Avx512, PairOp::Xor, 4, 1>},
                  {run_tile<Avx512, PairOp::Xor, 2, 6>, run_tile<Avx512, PairOp::Xor, 2, 4>,
                   run_tile<Avx512, PairOp::Xor, 2, 2>, run_tile<Avx512, PairOp::Xor, 2, 1>},
                  {run_tile<Avx512, PairOp::Xor, 1, 6>, run_tile<Avx512, PairOp::Xor, 1, 4>,
                   run_tile<Avx512, PairOp::Xor, 1, 2>, run_tile<Avx512, PairOp::Xor, 1, 1>}}},
    .count_planes = count_planes<Avx512>,
};

}  // namespace bitplane::kernels
