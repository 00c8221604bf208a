// SPDX-License-Identifier: Apache-2.0
#include <arm_neon.h>

#include "epilogue/epilogue_infos.h"
#include "epilogue/epilogue_kernel.h"
#include "epilogue/epilogue_table.h"

namespace bitplane::kernels {
namespace {

/// 16 channels in four registers: that many comparisons narrow to one register of bytes, whose bits three
/// pairwise additions bring together (there is no movemask). A word of 64 channels holds 16 of 32 registers.
struct Neon {
  struct Floats {
    float32x4_t at[4];
  };
  struct Ints {
    int32x4_t at[4];
  };
  struct Passed {  ///< all ones where a comparison holds
    uint32x4_t at[4];
  };
  static constexpr std::size_t kLanes = 16, kQuads = 4;

  template <class Vector, class Element>
  [[gnu::always_inline]] static Vector make(Element element) {
    Vector x;
    unroll<kQuads>([&](auto i) __attribute__((always_inline)) { x.at[i] = element(i); });
    return x;
  }
  static float32x4_t load(const float* p) { return vld1q_f32(p); }
  static int32x4_t load(const std::int32_t* p) { return vld1q_s32(p); }
  /// There are no masked loads: what is not a whole vector goes through a buffer.
  template <class Vector, class T>
  [[gnu::always_inline]] static Vector load(const T* p, std::size_t count) {
    if (count == kLanes) return make<Vector>([&](std::size_t i) { return load(p + 4 * i); });
    T lanes[kLanes] = {};
    for (std::size_t i = 0; i < count; ++i) lanes[i] = p[i];
    return make<Vector>([&](std::size_t i) { return load(lanes + 4 * i); });
  }
  static Floats load(const float* p, std::size_t count) { return load<Floats>(p, count); }
  static Ints load(const std::int32_t* p, std::size_t count) { return load<Ints>(p, count); }
  static void store(float* p, const Floats& x) {
    unroll<kQuads>([&](auto i) __attribute__((always_inline)) { vst1q_f32(p + 4 * i, x.at[i]); });
  }
  static void store(float* p, const Floats& x, std::size_t count) {
    if (count == kLanes) return store(p, x);
    float lanes[kLanes];
    store(lanes, x);
    for (std::size_t i = 0; i < count; ++i) p[i] = lanes[i];
  }
  static Floats broadcast(float x) {
    return make<Floats>([&](std::size_t) { return vdupq_n_f32(x); });
  }
  static Ints broadcast(std::int32_t x) {
    return make<Ints>([&](std::size_t) { return vdupq_n_s32(x); });
  }
  static Floats fma(const Floats& a, const Floats& b, const Floats& c) {
    return make<Floats>([&](std::size_t i) { return vfmaq_f32(c.at[i], a.at[i], b.at[i]); });
  }
  static Floats add(const Floats& a, const Floats& b) {
    return make<Floats>([&](std::size_t i) { return vaddq_f32(a.at[i], b.at[i]); });
  }
  // Not fmax, which keeps a NaN: what is not above zero becomes +0.
  static Floats relu(const Floats& x) {
    return make<Floats>([&](std::size_t i) {
      return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(x.at[i]), vcgtzq_f32(x.at[i])));
    });
  }
  static Floats larger(const Floats& x, const Floats& best) {
    return make<Floats>(
        [&](std::size_t i) { return vbslq_f32(vcgtq_f32(x.at[i], best.at[i]), x.at[i], best.at[i]); });
  }
  static Ints bit_xor(const Ints& a, const Ints& b) {
    return make<Ints>([&](std::size_t i) { return veorq_s32(a.at[i], b.at[i]); });
  }
  static Passed compare(const Floats& a, const Floats& b) {
    return make<Passed>([&](std::size_t i) { return vcgtq_f32(a.at[i], b.at[i]); });
  }
  static Passed compare(const Ints& a, const Ints& b) {
    return make<Passed>([&](std::size_t i) { return vcgtq_s32(a.at[i], b.at[i]); });
  }
  /// The low byte of each lane.
  static uint8x16_t low_bytes(uint32x4_t a, uint32x4_t b, uint32x4_t c, uint32x4_t d) {
    const uint16x8_t ab = vuzp1q_u16(vreinterpretq_u16_u32(a), vreinterpretq_u16_u32(b));
    const uint16x8_t cd = vuzp1q_u16(vreinterpretq_u16_u32(c), vreinterpretq_u16_u32(d));
    return vuzp1q_u8(vreinterpretq_u8_u16(ab), vreinterpretq_u8_u16(cd));
  }
  /// Bit i % 8 where byte i is all ones: to be added up by eights.
  static uint8x16_t place_bits(uint8x16_t passed) {
    return vandq_u8(passed, vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201U)));
  }
  static std::uint32_t bits_of(const Passed& passed) {
    uint8x16_t bits = place_bits(low_bytes(passed.at[0], passed.at[1], passed.at[2], passed.at[3]));
    for (int halvings = 0; halvings < 3; ++halvings) bits = vpaddq_u8(bits, bits);
    return vgetq_lane_u16(vreinterpretq_u16_u8(bits), 0);
  }
  static Ints add_one(const Ints& counts, const Passed& where) {
    return make<Ints>(
        [&](std::size_t i) { return vsubq_s32(counts.at[i], vreinterpretq_s32_u32(where.at[i])); });
  }
  static std::uint32_t greater(const Floats& a, const Floats& b) { return bits_of(compare(a, b)); }
  static std::uint32_t greater(const Ints& a, const Ints& b) { return bits_of(compare(a, b)); }
  static Ints count_greater(const Ints& counts, const Floats& a, const Floats& b) {
    return add_one(counts, compare(a, b));
  }
  static Ints count_greater(const Ints& counts, const Ints& a, const Ints& b) {
    return add_one(counts, compare(a, b));
  }

  static uint8x16x4_t load_64_bytes(const void* p) {
    const auto* bytes = static_cast<const std::uint8_t*>(p);
    return {{vld1q_u8(bytes), vld1q_u8(bytes + 16), vld1q_u8(bytes + 32), vld1q_u8(bytes + 48)}};
  }
  /// The nodes' entries. tbl looks up bytes: 16 floats at a time, by the numbers of their four bytes. Levels
  /// of more than 16 entries (quantizers of 6 bits and more) are read lane by lane.
  static Floats entries(const Ints& nodes, const float* tree, unsigned level) {
    if (level > 4) {
      std::int32_t lanes[kLanes];
      float found[kLanes];
      unroll<kQuads>([&](auto i) __attribute__((always_inline)) { vst1q_s32(lanes + 4 * i, nodes.at[i]); });
      for (std::size_t i = 0; i < kLanes; ++i) found[i] = tree[lanes[i]];
      return load(found, kLanes);
    }
    const std::uint32_t first = level == 4 ? 16 : 0;
    const uint8x16x4_t table = load_64_bytes(tree + first);
    const uint32x4_t bytes_of_first = vdupq_n_u32(0x03020100U - first * 0x04040404U);
    return make<Floats>([&](std::size_t i) {
      const uint32x4_t bytes = vmlaq_n_u32(bytes_of_first, vreinterpretq_u32_s32(nodes.at[i]), 0x04040404U);
      return vreinterpretq_f32_u8(vqtbl4q_u8(table, vreinterpretq_u8_u32(bytes)));
    });
  }
  static Ints descend(const Ints& nodes, const Floats& t, const float* tree, unsigned level) {
    const Ints twice = make<Ints>([&](std::size_t i) { return vaddq_s32(nodes.at[i], nodes.at[i]); });
    return count_greater(twice, t, entries(nodes, tree, level));
  }
  static void store_bytes(std::uint8_t* p, const Ints& x, std::size_t count) {
    const uint8x16_t bytes = low_bytes(vreinterpretq_u32_s32(x.at[0]), vreinterpretq_u32_s32(x.at[1]),
                                       vreinterpretq_u32_s32(x.at[2]), vreinterpretq_u32_s32(x.at[3]));
    if (count == kLanes) {
      vst1q_u8(p, bytes);
    } else {
      std::uint8_t lanes[kLanes];
      vst1q_u8(lanes, bytes);
      for (std::size_t i = 0; i < count; ++i) p[i] = lanes[i];
    }
  }
  /// tbl gives zero beyond its table and tbx leaves a lane alone: each byte is found in one quarter.
  static void map_codes(std::uint8_t* bytes, const std::uint8_t* table) {
    uint8x16x4_t rank = load_64_bytes(bytes);
    uint8x16_t code[4] = {vdupq_n_u8(0), vdupq_n_u8(0), vdupq_n_u8(0), vdupq_n_u8(0)};
    for (std::size_t quarter = 0; quarter < 4; ++quarter) {
      const uint8x16x4_t codes = load_64_bytes(table + 64 * quarter);
      unroll<4>([&](auto i) __attribute__((always_inline)) {
        code[i] = vqtbx4q_u8(code[i], codes, rank.val[i]);
        rank.val[i] = vsubq_u8(rank.val[i], vdupq_n_u8(64));
      });
    }
    unroll<4>([&](auto i) __attribute__((always_inline)) { vst1q_u8(bytes + 16 * i, code[i]); });
  }
  static std::uint64_t plane_word(const std::uint8_t* codes, std::size_t plane) {
    const uint8x16_t bit = vdupq_n_u8(static_cast<std::uint8_t>(1U << plane));
    const auto bits = [&](std::size_t i) { return place_bits(vtstq_u8(vld1q_u8(codes + 16 * i), bit)); };
    const uint8x16_t pairs = vpaddq_u8(vpaddq_u8(bits(0), bits(1)), vpaddq_u8(bits(2), bits(3)));
    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(pairs, pairs)), 0);
  }
};

}  // namespace

constinit const EpilogueKernels kEpilogueNeon{kEpilogueInfos[3].name, Isa::Neon, apply_epilogue<Neon>,
                                              max_window<Neon>};

}  // namespace bitplane::kernels
