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

// The values keep what they read as members of their own: outputs are bytes, which may alias an Epilogue, and
// its fields would be loaded anew for every vector.

/// t = fma(z, scale, shift) (+ residual).
template <class V>
class AffineValues {
 public:
  using Vector = typename V::Floats;

  AffineValues(const Epilogue& epilogue, const EpilogueRow& row)
      : channels_(row.channels),
        z_(row.z),
        scale_(epilogue.affine.scale),
        shift_(epilogue.affine.shift),
        residual_(epilogue.residual == nullptr ? nullptr
                                               : epilogue.residual + row.row * row.pixels * row.channels),
        thresholds_(epilogue.ranks.thresholds) {}

  [[gnu::always_inline]] Vector at(std::size_t p, std::size_t c, std::size_t count) const {
    const std::size_t i = p * channels_ + c;
    const Vector t = V::fma(V::load(z_ + i, count), V::load(scale_ + c, count), V::load(shift_ + c, count));
    return residual_ == nullptr ? t : V::add(t, V::load(residual_ + i, count));
  }
  [[gnu::always_inline]] Vector threshold(std::size_t l, std::size_t, std::size_t) const {
    return V::broadcast(thresholds_[l]);
  }

 private:
  std::size_t channels_;
  const float *z_, *scale_, *shift_, *residual_, *thresholds_;
};

/// The same, and t goes to epilogue.out on the way if that is wanted.
template <class V>
class PlaneValues {
 public:
  using Vector = typename V::Floats;

  PlaneValues(const Epilogue& epilogue, const EpilogueRow& row)
      : values_(epilogue, row),
        channels_(row.channels),
        out_(epilogue.out == nullptr
                 ? nullptr
                 : epilogue.out + (row.row - epilogue.first_row) * row.pixels * row.channels),
        activation_(epilogue.activation) {}

  [[gnu::always_inline]] Vector at(std::size_t p, std::size_t c, std::size_t count) const {
    const Vector t = values_.at(p, c, count);
    if (out_ != nullptr) {
      V::store(out_ + p * channels_ + c, activation_ == Activation::Relu ? V::relu(t) : t, count);
    }
    return t;
  }
  [[gnu::always_inline]] Vector threshold(std::size_t l, std::size_t c, std::size_t count) const {
    return values_.threshold(l, c, count);
  }

 private:
  AffineValues<V> values_;
  std::size_t channels_;
  float* out_;
  Activation activation_;
};

/// u: a second affine behind those values.
template <class V, class Values>
class AfterValues {
 public:
  using Vector = typename V::Floats;

  AfterValues(const Epilogue& epilogue, const EpilogueRow& row)
      : values_(epilogue, row), scale_(epilogue.after.scale), shift_(epilogue.after.shift) {}

  [[gnu::always_inline]] Vector at(std::size_t p, std::size_t c, std::size_t count) const {
    return V::fma(values_.at(p, c, count), V::load(scale_ + c, count), V::load(shift_ + c, count));
  }
  [[gnu::always_inline]] Vector threshold(std::size_t l, std::size_t c, std::size_t count) const {
    return values_.threshold(l, c, count);
  }

 private:
  Values values_;
  const float *scale_, *shift_;
};

/// A ^ flip, against thresholds of their own per channel.
template <class V>
class IntegerValues {
 public:
  using Vector = typename V::Ints;

  IntegerValues(const Epilogue& epilogue, const EpilogueRow& row)
      : channels_(row.channels),
        integers_(row.integers),
        flip_(epilogue.integer.flip),
        thresholds_(epilogue.integer.thresholds) {}

  [[gnu::always_inline]] Vector at(std::size_t p, std::size_t c, std::size_t count) const {
    return V::bit_xor(V::load(integers_ + p * channels_ + c, count), V::load(flip_ + c, count));
  }
  [[gnu::always_inline]] Vector threshold(std::size_t l, std::size_t c, std::size_t count) const {
    return V::load(thresholds_ + l * channels_ + c, count);
  }

 private:
  std::size_t channels_;
  const std::int32_t *integers_, *flip_, *thresholds_;
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
