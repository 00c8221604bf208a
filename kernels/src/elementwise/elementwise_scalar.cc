// SPDX-License-Identifier: Apache-2.0
#include "elementwise/elementwise_table.h"

namespace bitplane::kernels {
namespace {

/// kWidth floats as plain loops.
struct PlainFloats {
  static constexpr std::size_t kAccumulators = 0;
  /// Per element: 15 thresholds 5.9 ns compared one by one, 4.2 by a guess; 7: 3.1 against 4.2.
  static constexpr std::size_t kFewestSpaced = 15;
  struct Mask {
    bool at[kWidth];
  };
  float at[kWidth];

  static PlainFloats load(const float* p) {
    return make([&](std::size_t i) { return p[i]; });
  }
  static PlainFloats broadcast(float value) {
    return make([&](std::size_t) { return value; });
  }
  void store(float* p) const {
    for (std::size_t i = 0; i < kWidth; ++i) p[i] = at[i];
  }
  template <class Element>
  static PlainFloats make(Element element) {
    PlainFloats v;
    for (std::size_t i = 0; i < kWidth; ++i) v.at[i] = element(i);
    return v;
  }
  template <class Element>
  static Mask make_mask(Element element) {
    Mask m;
    for (std::size_t i = 0; i < kWidth; ++i) m.at[i] = element(i);
    return m;
  }

  friend PlainFloats add(const PlainFloats& a, const PlainFloats& b) {
    return make([&](std::size_t i) { return a.at[i] + b.at[i]; });
  }
  friend PlainFloats sub(const PlainFloats& a, const PlainFloats& b) {
    return make([&](std::size_t i) { return a.at[i] - b.at[i]; });
  }
  friend PlainFloats div(const PlainFloats& a, const PlainFloats& b) {
    return make([&](std::size_t i) { return a.at[i] / b.at[i]; });
  }
  friend PlainFloats root(const PlainFloats& a) {
    return make([&](std::size_t i) { return __builtin_sqrtf(a.at[i]); });
  }
  friend PlainFloats fma(const PlainFloats& a, const PlainFloats& b, const PlainFloats& c) {
    return make([&](std::size_t i) { return __builtin_fmaf(a.at[i], b.at[i], c.at[i]); });
  }
  friend Mask above(const PlainFloats& a, const PlainFloats& b) {
    return make_mask([&](std::size_t i) { return a.at[i] > b.at[i]; });
  }
  friend Mask not_above(const PlainFloats& a, const PlainFloats& b) {
    return make_mask([&](std::size_t i) { return a.at[i] <= b.at[i]; });
  }
  friend Mask both(const Mask& a, const Mask& b) {
    return make_mask([&](std::size_t i) { return a.at[i] && b.at[i]; });
  }
  friend PlainFloats select(const Mask& m, const PlainFloats& a, const PlainFloats& b) {
    return make([&](std::size_t i) { return m.at[i] ? a.at[i] : b.at[i]; });
  }
  friend PlainFloats truncated(const PlainFloats& a) {
    return make([&](std::size_t i) { return static_cast<float>(static_cast<int>(a.at[i])); });
  }
  friend PlainFloats lookup(const float* table, const PlainFloats& index) {
    return make([&](std::size_t i) { return table[static_cast<std::size_t>(index.at[i])]; });
  }
};

}  // namespace

constinit const ElementwiseKernels kElementwiseScalar =
    make_elementwise_kernels<PlainFloats>(kElementwiseInfos[0]);

}  // namespace bitplane::kernels
