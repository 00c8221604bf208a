// SPDX-License-Identifier: Apache-2.0
#include <arm_neon.h>

#include "dot/dot_infos.h"
#include "dot/expand_kernel.h"
#include "dot/panel_kernel.h"

namespace bitplane::kernels {
namespace {

/// 4 output channels in 4 dword lanes, SDOT: both operands are signed, so unsigned codes above 127 are
/// offset. Four bytes of a pixel stay in one lane of a register, by which SDOT multiplies all lanes of the
/// weights.
///
/// The tile is 16 channels x 6 pixels: 24 counters, 4 registers of weights and one of a pixel are 29 of 32.
/// GCC 12, per step of four bytes of K: 24 sdot, 2 ldp, 6 ldr and 4 integer instructions, no stack: 1.5
/// instructions per 16 products.
struct NeonDotLanes {
  using Weights = int8x16_t;
  using Pixels = int8x8_t;
  using Counter = int32x4_t;
  using Ints = int32x4_t;
  static constexpr std::size_t kLanes = 4;
  static constexpr bool kScarceRegisters = false;
  static constexpr DotTiles tiles(std::size_t registers) {
    return registers == 4 ? DotTiles{4, {6, 4, 2, 1}} : DotTiles{4, {12, 6, 2, 1}};
  }

  static const std::uint8_t* bytes_at(const std::byte* p) { return reinterpret_cast<const std::uint8_t*>(p); }
  static std::uint8_t* bytes_at(std::byte* p) { return reinterpret_cast<std::uint8_t*>(p); }

  static Weights load_weights(const std::byte* p) { return vreinterpretq_s8_u8(vld1q_u8(bytes_at(p))); }
  static Pixels load_pixels(const std::byte* p) {
    float four;
    __builtin_memcpy(&four, p, sizeof(four));
    return vreinterpret_s8_f32(vset_lane_f32(four, vdup_n_f32(0.0F), 0));
  }
  static Counter zero() { return vdupq_n_s32(0); }
  static void add(Counter& counter, Pixels x, Weights w) { counter = vdotq_lane_s32(counter, w, x, 0); }
  static Ints sums(Counter counter) { return counter; }

  static Ints load(const std::byte* p, std::size_t count) {
    if (count == kLanes) return vreinterpretq_s32_u8(vld1q_u8(bytes_at(p)));
    std::int32_t lanes[kLanes] = {};
    __builtin_memcpy(lanes, p, count * sizeof(std::int32_t));
    return vld1q_s32(lanes);
  }
  static Ints add(Ints a, Ints b) { return vaddq_s32(a, b); }
  static void store(std::byte* p, Ints x, std::size_t count) {
    if (count == kLanes) return vst1q_u8(bytes_at(p), vreinterpretq_u8_s32(x));
    std::int32_t lanes[kLanes];
    vst1q_s32(lanes, x);
    __builtin_memcpy(p, lanes, count * sizeof(std::int32_t));
  }
  static void store_floats(std::byte* p, Ints x, std::size_t count) {
    store(p, vreinterpretq_s32_f32(vcvtq_f32_s32(x)), count);
  }

  using Bytes = uint8x16_t;
  static Bytes load_bytes(const std::byte* p) { return vld1q_u8(bytes_at(p)); }
  static void store_bytes(std::byte* p, Bytes x) { vst1q_u8(bytes_at(p), x); }
  static Bytes broadcast_table(const std::byte* values) { return load_bytes(values); }
  template <int kShift, int kMask>
  static Bytes field(Bytes x) {
    if constexpr (kShift == 0) {
      return vandq_u8(x, vdupq_n_u8(kMask));
    } else {
      return vandq_u8(vshrq_n_u8(x, kShift), vdupq_n_u8(kMask));
    }
  }
  static Bytes look_up(Bytes table, Bytes index) { return vqtbl1q_u8(table, index); }
};

/// 16 byte elements: byte i of the register looks at bit i.
struct NeonByteElements {
  using Vector = uint8x16_t;
  static constexpr std::size_t kBits = 16, kElementBytes = 1;
  static Vector set(std::uint16_t value) { return vdupq_n_u8(static_cast<std::uint8_t>(value)); }
  static Vector add_where(Vector x, std::uint64_t bits, Vector value) {
    const Vector byte_of =
        vreinterpretq_u8_u64(vcombine_u64(vcreate_u64(0), vcreate_u64(0x0101010101010101U)));
    const Vector bit_of = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201U));
    const Vector both = vreinterpretq_u8_u16(vdupq_n_u16(static_cast<std::uint16_t>(bits & 0xFFFFU)));
    return vaddq_u8(x, vandq_u8(vtstq_u8(vqtbl1q_u8(both, byte_of), bit_of), value));
  }
  static void store(std::byte* p, Vector x) { NeonDotLanes::store_bytes(p, x); }
};

}  // namespace

constinit const DotKernels kDotNeonDot{
    .info = kDotInfos[4],
    .lanes = NeonDotLanes::kLanes,
    .register_sizes = {4, 2, 1},
    .segment_steps = 1,
    .slack_pixels = 0,
    .chunk_bytes = 16 * 1024,
    .formats = {{.element_bytes = 1,
                 .weights = {-128, 127},
                 .activations = {-128, 127},
                 .lane_limit = 0,
                 .least_steps = 0,
                 .lane_sums = LaneSums::EndChunks,
                 .run_panel = {run_dot_panel<NeonDotLanes, 4>, run_dot_panel<NeonDotLanes, 2>,
                               run_dot_panel<NeonDotLanes, 1>},
                 .expand_pixels = expand_pixels<NeonByteElements>},
                {},
                {}},
    .expand_weights = expand_weights<NeonDotLanes>,
    .begin = nullptr,
    .end = nullptr,
};

}  // namespace bitplane::kernels
