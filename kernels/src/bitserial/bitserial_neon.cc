// SPDX-License-Identifier: Apache-2.0
#include <arm_neon.h>

#include "bitserial/bitserial_infos.h"
#include "bitserial/tile_kernel.h"

namespace bitplane::kernels {
namespace {

/// 4 output channels in the qword lanes of two registers. cnt counts the bits of each byte; a byte grows by
/// at most 8 per word, so 31 words fit before the bytes are summed. A channel's total stays in two 32-bit
/// halves until the tile is finished: one addp of a register pair puts the four sums in order.
///
/// The tile is 16 channels x 2 pixels, so that a broadcast word serves 8 registers. GCC 12, per word of K and
/// 16 x 128 bits: 48 and/eor, cnt and add, 2 dup, 4 ldp of weights, 2 ldr of pixels and 4 integer
/// instructions; no stack. That is 3.75 instructions per 128 bits, 3.13 of them for the vector pipes; 8
/// channels x 4 pixels dup twice as often (3.25). 16 counters, 8 weights, the word and a temporary are 26 of
/// 32 registers: a third pixel does not fit beside the weights, and 10 of the totals lie on the stack while
/// 31 words are counted. Carry-save adders gain nothing: one takes 3 instructions (eor, eor, bsl) and saves
/// a cnt and an add.
struct Neon {
  struct Words {
    uint64x2_t low, high;
  };
  struct Counter {
    uint8x16_t low, high;
  };
  struct Total {
    uint32x4_t low, high;
  };
  using Ints = int32x4_t;
  using Floats = float32x4_t;
  static constexpr int kLanes = 4;
  static constexpr std::size_t kFlushEvery = 31;

  /// Zero of a counter or of a total.
  struct Zero {
    operator Counter() const { return {vdupq_n_u8(0), vdupq_n_u8(0)}; }
    operator Total() const { return {vdupq_n_u32(0), vdupq_n_u32(0)}; }
  };

  static Words load_words(const std::uint64_t* p) { return {vld1q_u64(p), vld1q_u64(p + 2)}; }
  static Words broadcast_word(std::uint64_t word) { return {vdupq_n_u64(word), vdupq_n_u64(word)}; }
  static Zero zero() { return {}; }
  static Total negate(Total total) { return {negate(total.low), negate(total.high)}; }
  static Total shift_left(Total total, unsigned shift) {
    const int32x4_t by = vdupq_n_s32(static_cast<int>(shift));
    return {vshlq_u32(total.low, by), vshlq_u32(total.high, by)};
  }
  static std::uint64_t popcount(std::uint64_t word) { return vaddv_u8(vcnt_u8(vcreate_u8(word))); }
  template <PairOp kOp>
  static void count(Counter& counter, Words w, Words a) {
    counter = {count<kOp>(counter.low, w.low, a.low), count<kOp>(counter.high, w.high, a.high)};
  }
  static Total flush(Total total, Counter counter) {
    return {vpadalq_u16(total.low, vpaddlq_u8(counter.low)),
            vpadalq_u16(total.high, vpaddlq_u8(counter.high))};
  }
  static Ints low_halves(Total total) { return vreinterpretq_s32_u32(vpaddq_u32(total.low, total.high)); }

  static Ints load(const std::int32_t* p) { return vld1q_s32(p); }
  static Ints broadcast(std::int32_t value) { return vdupq_n_s32(value); }
  static Ints add(Ints a, Ints b) { return vaddq_s32(a, b); }
  static Ints subtract(Ints a, Ints b) { return vsubq_s32(a, b); }
  static Ints negate(Ints a) { return vnegq_s32(a); }
  static Ints shift_left(Ints a, unsigned shift) {
    return vshlq_s32(a, vdupq_n_s32(static_cast<int>(shift)));
  }
  static void store(std::int32_t* p, Ints x) { vst1q_s32(p, x); }
  static Floats to_float(Ints x) { return vcvtq_f32_s32(x); }
  static Floats load(const float* p) { return vld1q_f32(p); }
  static Floats broadcast(float value) { return vdupq_n_f32(value); }
  static Floats fma(Floats a, Floats b, Floats c) { return vfmaq_f32(c, a, b); }
  static void store(float* p, Floats x) { vst1q_f32(p, x); }

 private:
  static uint32x4_t negate(uint32x4_t x) {
    return vreinterpretq_u32_s32(vnegq_s32(vreinterpretq_s32_u32(x)));
  }
  template <PairOp kOp>
  static uint8x16_t count(uint8x16_t counter, uint64x2_t w, uint64x2_t a) {
    const uint64x2_t pair = kOp == PairOp::And ? vandq_u64(w, a) : veorq_u64(w, a);
    return vaddq_u8(counter, vcntq_u8(vreinterpretq_u8_u64(pair)));
  }
};

}  // namespace

constinit const BitSerialKernels kBitSerialNeon{
    .info = kBitSerialInfos[3],
    .lanes = Neon::kLanes,
    .bipolar_by_unsigned = PairOp::Xor,
    .passed_channels = 0,
    .register_sizes = {4, 2, 1},
    .pixel_sizes = {2, 1},
    .run_tile = {{{run_tile<Neon, PairOp::And, 4, 2>, run_vector<Neon, PairOp::And, 4>},
                  {run_tile<Neon, PairOp::And, 2, 2>, run_vector<Neon, PairOp::And, 2>},
                  {run_tile<Neon, PairOp::And, 1, 2>, run_vector<Neon, PairOp::And, 1>}},
                 {{run_tile<Neon, PairOp::Xor, 4, 2>, run_vector<Neon, PairOp::Xor, 4>},
                  {run_tile<Neon, PairOp::Xor, 2, 2>, run_vector<Neon, PairOp::Xor, 2>},
                  {run_tile<Neon, PairOp::Xor, 1, 2>, run_vector<Neon, PairOp::Xor, 1>}}},
    .count_planes = count_planes<Neon>,
};

}  // namespace bitplane::kernels
