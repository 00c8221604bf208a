// SPDX-License-Identifier: Apache-2.0
//
// What an epilogue compares with its thresholds: vectors of kLanes channels of one pixel, and threshold l for
// the same channels. Included by epilogue_kernel.h (which says what a backend V is).
#pragma once

#include <cstddef>
#include <cstdint>

#include "bitplane/kernels/epilogue.h"

namespace bitplane::kernels {
namespace {

[[gnu::always_inline]] inline std::size_t smaller(std::size_t a, std::size_t b) {
  return a < b ? a : b;
}

/// body(channel, count) for all channels; count is the constant kLanes but for the last call.
template <class V, class Body>
[[gnu::always_inline]] inline void for_vectors(std::size_t channels, Body body) {
  std::size_t c = 0;
  for (; c + V::kLanes <= channels; c += V::kLanes) body(c, V::kLanes);
  if (c != channels) body(c, channels - c);
}

/// t = fma(z, scale, shift) (+ residual).
template <class V>
struct AffineValues {
  using Vector = typename V::Floats;
  const Epilogue& epilogue;
  const EpilogueRow& row;

  AffineValues(const Epilogue& of, const EpilogueRow& on) : epilogue(of), row(on) {}

  [[gnu::always_inline]] Vector at(std::size_t p, std::size_t c, std::size_t count) const {
    const ChannelAffine& affine = epilogue.affine;
    const Vector t = V::fma(V::load(row.z + p * row.channels + c, count), V::load(affine.scale + c, count),
                            V::load(affine.shift + c, count));
    if (epilogue.residual == nullptr) return t;
    return V::add(t, V::load(epilogue.residual + (row.row * row.pixels + p) * row.channels + c, count));
  }
  [[gnu::always_inline]] Vector threshold(std::size_t l, std::size_t, std::size_t) const {
    return V::broadcast(epilogue.ranks.thresholds[l]);
  }
};

/// The same, and t goes to epilogue.out on the way if that is wanted.
template <class V>
struct PlaneValues : AffineValues<V> {
  using Vector = typename V::Floats;
  using AffineValues<V>::AffineValues;

  [[gnu::always_inline]] Vector at(std::size_t p, std::size_t c, std::size_t count) const {
    const Epilogue& to = this->epilogue;
    const EpilogueRow& on = this->row;
    const Vector t = AffineValues<V>::at(p, c, count);
    if (to.out != nullptr) {
      const Vector kept = to.activation == Activation::Relu ? V::relu(t) : t;
      V::store(to.out + (on.row * on.pixels + p) * on.channels + c, kept, count);
    }
    return t;
  }
};

/// A ^ flip, against thresholds of their own per channel.
template <class V>
struct IntegerValues {
  using Vector = typename V::Ints;
  const Epilogue& epilogue;
  const EpilogueRow& row;

  IntegerValues(const Epilogue& of, const EpilogueRow& on) : epilogue(of), row(on) {}

  [[gnu::always_inline]] Vector at(std::size_t p, std::size_t c, std::size_t count) const {
    return V::bit_xor(V::load(row.integers + p * row.channels + c, count),
                      V::load(epilogue.integer.flip + c, count));
  }
  [[gnu::always_inline]] Vector threshold(std::size_t l, std::size_t c, std::size_t count) const {
    return V::load(epilogue.integer.thresholds + l * row.channels + c, count);
  }
};

/// The rank by one comparison per threshold.
template <class V, class Values>
struct LinearRank {
  Values values;
  std::size_t thresholds;

  [[gnu::always_inline]] typename V::Ints operator()(std::size_t p, std::size_t c, std::size_t count) const {
    const typename Values::Vector value = values.at(p, c, count);
    typename V::Ints rank = V::broadcast(std::int32_t{0});
    for (std::size_t l = 0; l < thresholds; ++l) {
      rank = V::count_greater(rank, value, values.threshold(l, c, count));
    }
    return rank;
  }
};

}  // namespace
}  // namespace bitplane::kernels
