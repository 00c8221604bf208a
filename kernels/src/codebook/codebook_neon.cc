// SPDX-License-Identifier: Apache-2.0
//
// The product is the f32 family's. Indices are expanded, 16 channels a step:
//
//   1 bit                  tst brings a channel's bit to its lane, a select by it
//   2 bits, per channel    the same for both bits, three selects
//   2, 4 bits, per layer   the levels are four tables of 16 bytes, one for each byte of a float: a tbl from
//   each
//                          and a store that interleaves them
//   everything else        one at a time
#include <arm_neon.h>

#include "codebook/codebook_infos.h"
#include "codebook/codebook_kernels.h"
#include "codebook/expand_indices.h"
#include "f32/f32_kernels.h"
#include "isa_unroll.h"

namespace bitplane::kernels {
namespace {

constexpr std::size_t kQuads = 4;  // registers of a step

template <class Word>
uint32x4_t broadcast_word(const std::uint8_t* p) {
  Word word;
  __builtin_memcpy(&word, p, sizeof word);
  return vdupq_n_u32(word);
}

/// Bit `bit` of the indices of channels 4 * quad .. 4 * quad + 3, kBits each, in a word of all of them.
template <std::uint32_t kBits>
uint32x4_t place_of_bit(std::uint32_t quad, std::uint32_t bit) {
  const std::uint32_t first = 4 * quad * kBits + bit;
  const std::uint32_t places[4] = {1U << first, 1U << (first + kBits), 1U << (first + 2 * kBits),
                                   1U << (first + 3 * kBits)};
  return vld1q_u32(places);
}

/// Two levels per channel.
struct Select {
  static constexpr std::size_t kBits = 1;
  explicit Select(const float* levels) {
    unroll<kQuads>([&](auto q) __attribute__((always_inline)) {
      low[q] = vld1q_f32(levels + 4 * q);
      high[q] = vld1q_f32(levels + kF32PanelWidth + 4 * q);
      place[q] = place_of_bit<1>(q, 0);
    });
  }
  [[gnu::always_inline]] void operator()(const std::uint8_t* step, float* out) const {
    const uint32x4_t word = broadcast_word<std::uint16_t>(step);
    unroll<kQuads>([&](auto q) __attribute__((always_inline)) {
      vst1q_f32(out + 4 * q, vbslq_f32(vtstq_u32(word, place[q]), high[q], low[q]));
    });
  }
  float32x4_t low[kQuads], high[kQuads];
  uint32x4_t place[kQuads];
};

/// Four levels per channel.
struct Tree {
  static constexpr std::size_t kBits = 2;
  explicit Tree(const float* from) : levels(from) {
    unroll<kQuads>([&](auto q) __attribute__((always_inline)) {
      place0[q] = place_of_bit<2>(q, 0);
      place1[q] = place_of_bit<2>(q, 1);
    });
  }
  [[gnu::always_inline]] void operator()(const std::uint8_t* step, float* out) const {
    const uint32x4_t word = broadcast_word<std::uint32_t>(step);
    unroll<kQuads>([&](auto q) __attribute__((always_inline)) {
      const auto level = [&](std::size_t l) { return vld1q_f32(levels + l * kF32PanelWidth + 4 * q); };
      const uint32x4_t bit0 = vtstq_u32(word, place0[q]), bit1 = vtstq_u32(word, place1[q]);
      vst1q_f32(out + 4 * q,
                vbslq_f32(bit1, vbslq_f32(bit0, level(3), level(2)), vbslq_f32(bit0, level(1), level(0))));
    });
  }
  const float* levels;
  uint32x4_t place0[kQuads], place1[kQuads];
};

/// The indices of a step as bytes, in the order of the channels.
template <std::size_t kBits>
class ByteIndices {
 public:
  ByteIndices() {
    std::uint8_t from[kF32PanelWidth] = {};
    std::int8_t shift[kF32PanelWidth] = {};
    for (std::size_t c = 0; c < kF32PanelWidth; ++c) {
      const IndexPlace place = place_of_index(kBits, c);
      from[c] = static_cast<std::uint8_t>(place.byte);
      shift[c] = static_cast<std::int8_t>(-static_cast<int>(place.shift));
    }
    from_ = vld1q_u8(from);
    shift_ = vld1q_s8(shift);
  }
  [[gnu::always_inline]] uint8x16_t operator()(const std::uint8_t* step) const {
    std::uint64_t word = 0;
    __builtin_memcpy(&word, step, 2 * kBits);
    const uint8x16_t bytes = vqtbl1q_u8(vreinterpretq_u8_u64(vdupq_n_u64(word)), from_);
    return vandq_u8(vshlq_u8(bytes, shift_), vdupq_n_u8((1U << kBits) - 1U));
  }

 private:
  uint8x16_t from_;
  int8x16_t shift_;
};

/// Up to 16 levels of the layer.
template <std::size_t kIndexBits>
struct Table {
  static constexpr std::size_t kBits = kIndexBits;
  explicit Table(const float* levels) : bytes(vld4q_u8(reinterpret_cast<const std::uint8_t*>(levels))) {}
  [[gnu::always_inline]] void operator()(const std::uint8_t* step, float* out) const {
    const uint8x16_t index = indices(step);
    vst4q_u8(reinterpret_cast<std::uint8_t*>(out),
             {{vqtbl1q_u8(bytes.val[0], index), vqtbl1q_u8(bytes.val[1], index),
               vqtbl1q_u8(bytes.val[2], index), vqtbl1q_u8(bytes.val[3], index)}});
  }
  uint8x16x4_t bytes;
  ByteIndices<kBits> indices;
};

template <class Weights>
void expand_as(const CodebookPanel& panel) {
  const Weights weights(panel.levels);
  const std::uint8_t* step = panel.indices;
  float* out = panel.out;
  for (std::size_t t = 0; t < panel.steps; ++t, step += 2 * Weights::kBits, out += kF32PanelWidth) {
    weights(step, out);
  }
}

void expand(const CodebookPanel& panel) noexcept {
  const bool layer = panel.scope == LevelScope::Layer;
  if (panel.index_bits == 1) return expand_as<Select>(panel);
  if (panel.index_bits == 2) return layer ? expand_as<Table<2>>(panel) : expand_as<Tree>(panel);
  if (panel.index_bits == 4 && layer) return expand_as<Table<4>>(panel);
  expand_indices(panel);
}

}  // namespace

constinit const CodebookKernels kCodebookNeon{.name = kCodebookInfos[3].name,
                                              .isa = Isa::Neon,
                                              .f32 = &kF32Neon,
                                              .expand = expand,
                                              .row_form = no_row_form};

}  // namespace bitplane::kernels
