// SPDX-License-Identifier: Apache-2.0
#include "bitserial/bitserial_infos.h"
#include "bitserial/tile_kernel.h"

namespace bitplane::kernels {
namespace {

struct Scalar {
  using Words = std::uint64_t;
  using Total = std::uint64_t;
  using Ints = std::uint32_t;  // sums wrap modulo 2^32
  using Floats = float;
  static constexpr int kLanes = 1;
  static constexpr std::size_t kFlushEvery = 0;

  static Words load_words(const std::uint64_t* p) { return *p; }
  static Words broadcast_word(std::uint64_t word) { return word; }
  static Total zero() { return 0; }
  static Total negate(Total total) { return 0 - total; }
  static Total shift_left(Total total, unsigned shift) { return total << shift; }
  // Baseline x86-64 has no popcnt instruction, and the compiler's fallback is a function call.
  static std::uint64_t popcount(std::uint64_t x) {
    x -= (x >> 1) & 0x5555555555555555U;
    x = (x & 0x3333333333333333U) + ((x >> 2) & 0x3333333333333333U);
    x = (x + (x >> 4)) & 0x0F0F0F0F0F0F0F0FU;
    return (x * 0x0101010101010101U) >> 56;
  }
  template <PairOp kOp>
  static void count(Total& total, Words w, Words a) {
    total += popcount(kOp == PairOp::And ? w & a : w ^ a);
  }
  static Ints low_halves(Total total) { return static_cast<Ints>(total); }

  static Ints load(const std::int32_t* p) { return static_cast<Ints>(*p); }
  static Ints broadcast(std::int32_t value) { return static_cast<Ints>(value); }
  static Ints add(Ints a, Ints b) { return a + b; }
  static Ints shift_left(Ints a, unsigned shift) { return a << shift; }
  static Ints subtract(Ints a, Ints b) { return a - b; }
  static Ints negate(Ints a) { return 0U - a; }
  static void store(std::int32_t* p, Ints x) { *p = static_cast<std::int32_t>(x); }
  static float to_float(Ints x) { return static_cast<float>(static_cast<std::int32_t>(x)); }
  static float load(const float* p) { return *p; }
  static float broadcast(float value) { return value; }
  static float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
  static void store(float* p, float x) { *p = x; }
};

}  // namespace

constinit const BitSerialKernels kBitSerialScalar{
    .info = kBitSerialInfos[0],
    .lanes = Scalar::kLanes,
    .bipolar_by_unsigned = PairOp::Xor,
    .passed_channels = 0,
    .register_sizes = {1},
    .pixel_sizes = {4, 1},
    .run_tile = {{{run_tile<Scalar, PairOp::And, 1, 4>, run_vector<Scalar, PairOp::And, 1>}},
                 {{run_tile<Scalar, PairOp::Xor, 1, 4>, run_vector<Scalar, PairOp::Xor, 1>}}},
    .count_planes = count_planes<Scalar>,
};

}  // namespace bitplane::kernels
