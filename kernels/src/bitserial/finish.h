// SPDX-License-Identifier: Apache-2.0
//
// The second half of the bit-serial micro-kernel: from the counted sums of a tile's terms to z. Counting
// needs every register there is, so the sums pass through a buffer, and what follows is short loops that are
// compiled once per backend. Terms are held back (up to kHeldTerms of them), so that the chain of a learned
// basis runs in a register instead of through z. Included by tile_kernel.h only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bitplane/kernels/planes.h"
#include "bitserial/tile.h"
#include "isa_unroll.h"

namespace bitplane::kernels {
namespace {

inline constexpr std::size_t kHeldTerms = 4;

/// The terms [first, first + count) of some tiles, as counted: sums[term - first][pixel][channel].
struct HeldTerms {
  const std::int32_t* sums = nullptr;
  std::size_t first = 0, count = 0;
  std::size_t first_pixel = 0;     ///< among those of the call
  std::size_t pixels = 0;          ///< held
  std::size_t pixel_capacity = 0;  ///< of sums
  std::size_t channels = 0;        ///< of the tile
};

/// Where z or the integers of the tile go: the caller's memory, or a buffer if some channels are padding.
template <class T>
struct Destination {
  T* data = nullptr;
  std::size_t pixel_stride = 0;
};

/// I of the held terms. Members, not the tile's fields: vector stores may alias those.
template <class Ops, std::size_t kChannels>
class TermSums {
 public:
  TermSums(const BitTile& tile, const HeldTerms& held)
      : sums_(held.sums),
        pixels_(held.pixel_capacity),
        first_(held.first * tile.stride + tile.first_channel) {
    if (tile.pixel_terms != nullptr) {
      pixel_terms_ = tile.pixel_terms + held.first_pixel * tile.term_count + held.first;
      pixel_step_ = tile.term_count;
    }
    if (tile.channel_terms != nullptr) channel_terms_ = tile.channel_terms + held.first_pixel;
    stride_ = tile.stride;
    for (std::size_t t = 0; t < held.count; ++t) shifts_[t] = tile.terms[held.first + t].shift;
  }
  [[gnu::always_inline]] typename Ops::Ints at(std::size_t t, std::size_t p, std::size_t c) const {
    const auto counted = Ops::load(sums_ + (t * pixels_ + p) * kChannels + c);
    const auto sum = Ops::add(Ops::shift_left(counted, shifts_[t]), pixel_term(t, p));
    if (channel_terms_ == nullptr) return sum;
    return Ops::add(sum, Ops::load(channel_terms_[p] + first_ + t * stride_ + c));
  }

 private:
  [[gnu::always_inline]] typename Ops::Ints pixel_term(std::size_t t, std::size_t p) const {
    return Ops::broadcast(pixel_terms_[p * pixel_step_ + t]);
  }

  static constexpr std::int32_t kNoTerms[kHeldTerms] = {};

  const std::int32_t* sums_;
  std::size_t pixels_, first_, stride_;
  const std::int32_t* pixel_terms_ = kNoTerms;
  std::size_t pixel_step_ = 0;
  const std::int32_t* const* channel_terms_ = nullptr;
  unsigned shifts_[kHeldTerms] = {};
};

template <class Ops, std::size_t kChannels>
[[gnu::always_inline]] inline void finish_integers(const BitTile& tile, const HeldTerms& held,
                                                   const Destination<std::int32_t>& to) {
  const TermSums<Ops, kChannels> sums(tile, held);
  std::int32_t* out = to.data;
  for (std::size_t p = 0; p < held.pixels; ++p, out += to.pixel_stride) {
    for (std::size_t c = 0; c < kChannels; c += Ops::kLanes) Ops::store(out + c, sums.at(0, p, c));
  }
}

template <class Ops, std::size_t kChannels>
[[gnu::always_inline]] inline void finish_uniform(const BitTile& tile, const HeldTerms& held,
                                                  const Destination<float>& to) {
  const TermSums<Ops, kChannels> sums(tile, held);
  float* z = to.data;
  for (std::size_t p = 0; p < held.pixels; ++p, z += to.pixel_stride) {
    for (std::size_t c = 0; c < kChannels; c += Ops::kLanes)
      Ops::store(z + c, Ops::to_float(sums.at(0, p, c)));
  }
}

template <class Ops, std::size_t kChannels>
[[gnu::always_inline]] inline void finish_affine(const BitTile& tile, const HeldTerms& held,
                                                 const Destination<float>& to) {
  const TermSums<Ops, kChannels> sums(tile, held);
  const float *scale = tile.scale + tile.first_channel, *shift = tile.shift + tile.first_channel;
  float* z = to.data;
  for (std::size_t p = 0; p < held.pixels; ++p, z += to.pixel_stride) {
    for (std::size_t c = 0; c < kChannels; c += Ops::kLanes) {
      Ops::store(z + c,
                 Ops::fma(Ops::to_float(sums.at(0, p, c)), Ops::load(scale + c), Ops::load(shift + c)));
    }
  }
}

/// z = fma(coefficient, float(I), z) over kTerms held terms.
template <class Ops, std::size_t kChannels, std::size_t kTerms>
[[gnu::always_inline]] inline void finish_learned(const BitTile& tile, const HeldTerms& held,
                                                  const Destination<float>& to) {
  const TermSums<Ops, kChannels> sums(tile, held);
  const std::size_t stride = tile.stride;
  const float* coefficients = tile.coefficients + held.first * stride + tile.first_channel;
  const bool continues = held.first != 0, last = held.first + held.count == tile.term_count;
  const float* scale = last && tile.scale != nullptr ? tile.scale + tile.first_channel : nullptr;
  const float* shift = scale == nullptr ? nullptr : tile.shift + tile.first_channel;
  float* z = to.data;
  for (std::size_t p = 0; p < held.pixels; ++p, z += to.pixel_stride) {
    for (std::size_t c = 0; c < kChannels; c += Ops::kLanes) {
      auto value = continues ? Ops::load(z + c) : Ops::broadcast(0.0F);
      unroll<kTerms>([&](auto t) __attribute__((always_inline)) {
        value = Ops::fma(Ops::load(coefficients + t * stride + c), Ops::to_float(sums.at(t, p, c)), value);
      });
      if (scale != nullptr) value = Ops::fma(value, Ops::load(scale + c), Ops::load(shift + c));
      Ops::store(z + c, value);
    }
  }
}

template <class Ops, std::size_t kChannels>
[[gnu::always_inline]] inline void add_offsets(const BitTile& tile, const HeldTerms& held,
                                               const Destination<float>& to) {
  for (std::size_t p = 0; p < held.pixels; ++p) {
    const std::size_t pixel = held.first_pixel + p;
    for (std::size_t c = 0; c < kChannels; c += Ops::kLanes) {
      float* z = to.data + p * to.pixel_stride + c;
      auto value = Ops::load(z);
      if (tile.weight_offset != nullptr) {
        const auto offset = Ops::load(tile.weight_offset + tile.first_channel + c);
        value = Ops::fma(offset, Ops::broadcast(tile.activation_sums[pixel]), value);
      }
      if (tile.weight_sums != nullptr) {
        const auto sum = Ops::load(tile.weight_sums[pixel] + tile.first_channel + c);
        value = Ops::fma(Ops::broadcast(tile.activation_offset), sum, value);
      }
      Ops::store(z, value);
    }
  }
}

template <class Ops, std::size_t kChannels>
[[gnu::noinline]] void finish_z(const BitTile& tile, const HeldTerms& held,
                                const Destination<float>& to) noexcept {
  if (tile.coefficients == nullptr) {
    if (tile.scale != nullptr) return finish_affine<Ops, kChannels>(tile, held, to);
    finish_uniform<Ops, kChannels>(tile, held, to);
  } else if (held.count == 1) {
    finish_learned<Ops, kChannels, 1>(tile, held, to);
  } else if (held.count == 2) {
    finish_learned<Ops, kChannels, 2>(tile, held, to);
  } else if (held.count == 3) {
    finish_learned<Ops, kChannels, 3>(tile, held, to);
  } else {
    finish_learned<Ops, kChannels, kHeldTerms>(tile, held, to);
  }
  const bool last = held.first + held.count == tile.term_count;
  if (last && (tile.weight_offset != nullptr || tile.weight_sums != nullptr)) {
    add_offsets<Ops, kChannels>(tile, held, to);
  }
}

/// A term's sums from those of its plane pairs, counts[i][j][channel], but for the last shift: as adjust()
/// and count_pair() do with totals.
template <class Ops, std::size_t kChannels>
void combine_counts(const BitTile& tile, const TermSteps& term, const std::int32_t* counts,
                    std::int32_t* sums) noexcept {
  for (std::size_t c = 0; c < kChannels; c += Ops::kLanes) {
    typename Ops::Ints total = Ops::broadcast(std::int32_t{0});
    for (std::uint32_t s = 0; s < term.count; ++s) {
      const PlaneStep step = tile.steps[term.first + s];
      if (step.negate) total = Ops::negate(total);
      const std::size_t pair = step.weight_plane * kMaxActivationPlanes + step.activation_plane;
      total = Ops::add(Ops::shift_left(total, step.shift), Ops::load(counts + pair * kChannels + c));
    }
    Ops::store(sums + c, term.negate ? Ops::negate(total) : total);
  }
}

template <class T>
void copy_channels(const Destination<const T>& from, const Destination<T>& to, std::size_t pixels,
                   std::size_t channels) noexcept {
  for (std::size_t p = 0; p < pixels; ++p) {
    for (std::size_t c = 0; c < channels; ++c) {
      to.data[p * to.pixel_stride + c] = from.data[p * from.pixel_stride + c];
    }
  }
}

/// kMaxPixels >= held.pixels.
template <class Ops, std::size_t kChannels, std::size_t kMaxPixels>
[[gnu::always_inline]] inline void finish_terms(const BitTile& tile, const HeldTerms& held) {
  const std::size_t at = held.first_pixel * tile.pixel_stride;
  const Destination<float> z{tile.z == nullptr ? nullptr : tile.z + at, tile.pixel_stride};
  const Destination<std::int32_t> integers{tile.integers == nullptr ? nullptr : tile.integers + at,
                                           tile.pixel_stride};
  if (tile.channels == kChannels) {
    if (tile.z != nullptr) return finish_z<Ops, kChannels>(tile, held, z);
    return finish_integers<Ops, kChannels>(tile, held, integers);
  }
  if (tile.z != nullptr) {
    alignas(64) float buffer[kMaxPixels * kChannels] = {};
    copy_channels<float>({z.data, z.pixel_stride}, {buffer, kChannels}, held.pixels, tile.channels);
    finish_z<Ops, kChannels>(tile, held, {buffer, kChannels});
    copy_channels<float>({buffer, kChannels}, z, held.pixels, tile.channels);
  } else {
    alignas(64) std::int32_t buffer[kMaxPixels * kChannels];
    finish_integers<Ops, kChannels>(tile, held, {buffer, kChannels});
    copy_channels<std::int32_t>({buffer, kChannels}, integers, held.pixels, tile.channels);
  }
}

}  // namespace
}  // namespace bitplane::kernels
