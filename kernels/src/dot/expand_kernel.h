// SPDX-License-Identifier: Apache-2.0
//
// Codes to elements, once for all ISAs: weights from a table of 16 entries in a register, activations from
// their planes, one conditional addition per plane. Included by the per-ISA files only.
//
//   B::Bytes            load_bytes, store_bytes, broadcast_table(16 values), field<shift, mask>(x), look_up
//   E::kBits            elements of a register (16, 32 or 64); set(value), add_where(x, bits, value), store
#pragma once

#include <cstddef>
#include <cstdint>

#include "bitplane/kernels/planes.h"
#include "dot/panel.h"
#include "isa_unroll.h"

namespace bitplane::kernels {
namespace {

template <class B, std::size_t kCodeBits>
void expand_coded(const DotCodes& codes, std::byte* to) {
  constexpr std::size_t kVectorBytes = B::kLanes * kStepBytes, kFields = 8 / kCodeBits;
  const auto table = B::broadcast_table(codes.values);
  const std::byte* from = codes.codes;
  for (std::size_t v = 0; v < codes.vectors; ++v, from += kVectorBytes, to += kFields * kVectorBytes) {
    const auto fields = B::load_bytes(from);
    unroll<kFields>([&](auto f) __attribute__((always_inline)) {
      constexpr int kMask = (1 << kCodeBits) - 1, kShift = static_cast<int>(f * kCodeBits);
      B::store_bytes(to + f * kVectorBytes, B::look_up(table, B::template field<kShift, kMask>(fields)));
    });
  }
}

template <class B>
void expand_weights(const DotCodes& codes, std::byte* to) noexcept {
  switch (codes.code_bits) {
    case 1:
      return expand_coded<B, 1>(codes, to);
    case 2:
      return expand_coded<B, 2>(codes, to);
    default:
      return expand_coded<B, 4>(codes, to);
  }
}

/// Where the words of a plane's pixels come from and where their elements go.
struct ExpandRun {
  const std::byte* from = nullptr;
  std::byte* to = nullptr;
  std::size_t words = 0;
};

/// `Word` is what is read of a plane at a time, no more than there is.
template <class E, class Word, std::size_t kPlanes>
[[gnu::always_inline]] inline void expand_words(const DotPixels& pixels, const typename E::Vector* steps,
                                                const ExpandRun& run) {
  constexpr std::size_t kWordBits = sizeof(Word) * 8;
  const typename E::Vector base = E::set(pixels.base);
  const std::byte* from = run.from;
  std::byte* to = run.to;
  for (std::size_t word = 0; word < run.words; ++word, from += sizeof(Word)) {
    Word bits[kPlanes];
    unroll<kPlanes>([&](auto j) __attribute__((always_inline)) {
      __builtin_memcpy(&bits[j], from + j * pixels.plane_stride, sizeof(Word));
    });
    for (std::size_t shift = 0; shift < kWordBits; shift += E::kBits, to += E::kBits * E::kElementBytes) {
      typename E::Vector x = base;
      unroll<kPlanes>([&](auto j) __attribute__((always_inline)) {
        x = E::add_where(x, static_cast<std::uint64_t>(bits[j]) >> shift, steps[j]);
      });
      E::store(to, x);
    }
  }
}

/// Each pixel overruns its channels by what its granules are wider; the next one is written over that.
template <class E, class Word, std::size_t kPlanes>
[[gnu::always_inline]] inline void expand_row(const DotPixels& pixels, const typename E::Vector* steps,
                                              std::byte* to) {
  const std::size_t words = pixels.pixel_bytes / sizeof(Word);
  for (std::size_t p = 0; p < pixels.pixels; ++p, to += pixels.channels * E::kElementBytes) {
    expand_words<E, Word, kPlanes>(pixels, steps, {pixels.planes + p * pixels.pixel_bytes, to, words});
  }
}

template <class E, std::size_t kPlanes>
void expand_planes(const DotPixels& pixels, std::byte* to) {
  typename E::Vector steps[kPlanes];
  unroll<kPlanes>([&](auto j) __attribute__((always_inline)) { steps[j] = E::set(pixels.steps[j]); });
  const std::size_t bits = pixels.pixel_bytes * 8;
  if (pixels.channels == bits) {  // no gaps: the row is one run, padded to 8 bytes
    const std::size_t words = (pixels.pixels * bits + 63) / 64;
    return expand_words<E, std::uint64_t, kPlanes>(pixels, steps, {pixels.planes, to, words});
  }
  switch (pixels.pixel_bytes) {
    case 2:
      return expand_row<E, std::uint16_t, kPlanes>(pixels, steps, to);
    case 4:
      return expand_row<E, std::uint32_t, kPlanes>(pixels, steps, to);
    default:
      return expand_row<E, std::uint64_t, kPlanes>(pixels, steps, to);
  }
}

template <class E>
void expand_pixels(const DotPixels& pixels, std::byte* to) noexcept {
  unroll<kMaxActivationPlanes>([&](auto j) {
    if (pixels.plane_count == j + 1) expand_planes<E, j + 1>(pixels, to);
  });
}

}  // namespace
}  // namespace bitplane::kernels
