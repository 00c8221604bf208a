// SPDX-License-Identifier: Apache-2.0
#include <arm_neon.h>

#include "lut/lut_infos.h"
#include "lut/lut_tile_kernel.h"

namespace bitplane::kernels {
namespace {

/// 16 output channels in the bytes of a register, TBL in tables of 16 sums: groups of 4, two to a byte.
///
/// The tile is 2 registers x 8 pixels: unpacking two index bytes (4 instructions) and loading them serves 8
/// pixels. GCC 12, per step of two groups with one part (32 look-ups of 16 x 4 weight bits): 64 tbl and add,
/// 5 more for the vector pipes, 34 loads (tables need no broadcast) and 6 integer instructions: 3.4
/// instructions per 64 bits of a weight plane, 2.2 of them for the vector pipes, whatever the number of
/// activation planes (and half an add more for a second part). Nothing lies on the stack in that loop; with 4
/// pixels the wide sums would stay in registers too, for twice the unpacking.
struct Neon {
  using Vec = uint8x16_t;
  using Ints = int32x4_t;
  static constexpr LutLayout kLayout = kLutLayoutNeon;
  static constexpr std::size_t kIntLanes = 4;
  static constexpr bool kCodesInRegisters = false;

  static Vec zero() { return vdupq_n_u8(0); }
  static void keep(Vec& v) { asm volatile("" : "+w"(v)); }
  static Vec load_bytes(const std::uint8_t* p) { return vld1q_u8(p); }
  template <std::size_t kHalf>
  static Vec unpack_index(Vec packed) {
    return kHalf == 0 ? vandq_u8(packed, vdupq_n_u8(15)) : vshrq_n_u8(packed, 4);
  }
  /// A code is the offset of its table.
  template <class Word>
  static Vec table_part(const std::uint8_t* tables, Word code) {
    return vld1q_u8(tables + static_cast<std::uint16_t>(code));
  }
  static Vec look_up(Vec table, Vec index) { return vqtbl1q_u8(table, index); }
  static Vec add_bytes(Vec a, Vec b) { return vaddq_u8(a, b); }
  static Vec add_words(Vec a, Vec b) { return bytes(vaddq_u16(words(a), words(b))); }
  static Vec sub_words(Vec a, Vec b) { return bytes(vsubq_u16(words(a), words(b))); }
  static Vec high_bytes(Vec v) { return bytes(vshrq_n_u16(words(v), 8)); }
  static Vec to_high_bytes(Vec v) { return bytes(vshlq_n_u16(words(v), 8)); }
  static void store_words(std::uint16_t* p, Vec v) { vst1q_u16(p, words(v)); }

  static Ints broadcast(std::int32_t value) { return vdupq_n_s32(value); }
  static Ints load(const std::int32_t* p) { return vld1q_s32(p); }
  static Ints load_words_as_ints(const std::uint16_t* p) {
    return vreinterpretq_s32_u32(vmovl_u16(vld1_u16(p)));
  }
  static Ints add(Ints a, Ints b) { return vaddq_s32(a, b); }
  static Ints multiply(Ints a, Ints b) { return vmulq_s32(a, b); }
  static void store_result(std::int32_t* p, Ints v) { vst1q_s32(p, v); }
  static void store_result(float* p, Ints v) { vst1q_f32(p, vcvtq_f32_s32(v)); }
  static std::int64_t popcount(std::uint64_t word) { return vaddv_u8(vcnt_u8(vcreate_u8(word))); }

 private:
  static uint16x8_t words(Vec v) { return vreinterpretq_u16_u8(v); }
  static Vec bytes(uint16x8_t v) { return vreinterpretq_u8_u16(v); }
};

/// code = (nibble of the pair's first plane + 16 * nibble of the second) * 16.
void encode(const LutWindow& window) noexcept {
  const auto load_word = [](const std::byte* p) { return vld1_u8(reinterpret_cast<const std::uint8_t*>(p)); };
  for (std::size_t part = 0; 2 * part < window.planes; ++part) {
    const std::byte* first = window.bits + 2 * part * window.plane_stride;
    const std::byte* second = 2 * part + 1 < window.planes ? first + window.plane_stride : nullptr;
    std::uint16_t* codes = window.codes + part * window.part_stride;
    for (std::size_t word = 0; word < window.words; ++word, codes += 16) {
      const std::size_t at = word * sizeof(std::uint64_t);
      const uint8x8_t a = load_word(first + at);
      const uint8x8_t b = second == nullptr ? vdup_n_u8(0) : load_word(second + at);
      const uint8x8_t even = vsli_n_u8(a, b, 4), odd = vsri_n_u8(b, a, 4);
      vst1q_u16(codes, vshll_n_u8(vzip1_u8(even, odd), 4));
      vst1q_u16(codes + 8, vshll_n_u8(vzip2_u8(even, odd), 4));
    }
  }
}

}  // namespace

constinit const LutKernels kLutNeon{
    .info = kLutInfos[3],
    .layout = Neon::kLayout,
    .pixel_sizes = {{8, 4, 2, 1}, {8, 4, 2, 1}},
    .run_tile = {{{run_lut_tile<Neon, 1, 8, 1>, run_lut_tile<Neon, 1, 4, 1>, run_lut_tile<Neon, 1, 2, 1>,
                   run_lut_tile<Neon, 1, 1, 1>},
                  {run_lut_tile<Neon, 2, 8, 1>, run_lut_tile<Neon, 2, 4, 1>, run_lut_tile<Neon, 2, 2, 1>,
                   run_lut_tile<Neon, 2, 1, 1>}},
                 {{run_lut_tile<Neon, 1, 8, 2>, run_lut_tile<Neon, 1, 4, 2>, run_lut_tile<Neon, 1, 2, 2>,
                   run_lut_tile<Neon, 1, 1, 2>},
                  {run_lut_tile<Neon, 2, 8, 2>, run_lut_tile<Neon, 2, 4, 2>, run_lut_tile<Neon, 2, 2, 2>,
                   run_lut_tile<Neon, 2, 1, 2>}}},
    .encode = encode,
    .sum_window = sum_lut_window<Neon>,
    .finish = finish_lut_unit<Neon>,
    .transposed_channels = 0,
    .index_windows = nullptr,
    .finish_transposed = nullptr,
};

}  // namespace bitplane::kernels
