// SPDX-License-Identifier: Apache-2.0
//
// For per-ISA files only: kWidth floats as xsimd batches of one architecture. xsimd's own symbols carry the
// architecture in their names, ours are local, so nothing of it can be shared with other objects.
#pragma once

#include <xsimd/xsimd.hpp>

#include "elementwise/columns.h"
#include "isa_unroll.h"

namespace bitplane::kernels {
namespace {

/// `Level` names the xsimd architecture, its number of registers, and brings the operations that xsimd 8.1
/// does not round correctly everywhere: for AVX-512 its fma silently multiplies and adds, and for NEON its
/// float division is an estimate and two Newton steps (and the square root, not to depend on it).
template <class Level>
struct XsimdFloats {
  using Batch = xsimd::batch<float, typename Level::Arch>;
  using Bool = xsimd::batch_bool<float, typename Level::Arch>;
  static constexpr std::size_t kBatches = kWidth / Batch::size;
  static constexpr std::size_t kAccumulators = Level::kRegisters / kBatches / 2;
  /// Per element, one Zen 5 core: 63 thresholds 1.50 ns compared one by one, 1.11 (AVX2) and 1.26 (AVX-512)
  /// by a guess; 31: 0.69 and 0.71 against 1.14 and 1.27; 255: 7.2 against 1.15 and 1.27. NEON is not
  /// measured.
  static constexpr std::size_t kFewestSpaced = 63;
  struct Mask {
    Bool at[kBatches];
  };

  Batch at[kBatches];

  static XsimdFloats load(const float* p) {
    return make([&](std::size_t i) { return Batch::load_unaligned(p + i * Batch::size); });
  }
  static XsimdFloats broadcast(float value) {
    return make([&](std::size_t) { return Batch(value); });
  }
  void store(float* p) const {
    unroll<kBatches>([&](auto i) { at[i].store_unaligned(p + i * Batch::size); });
  }
  template <class Element>
  [[gnu::always_inline]] static XsimdFloats make(Element element) {
    XsimdFloats v;
    unroll<kBatches>([&](auto i) { v.at[i] = element(i); });
    return v;
  }
  template <class Element>
  [[gnu::always_inline]] static Mask make_mask(Element element) {
    Mask m;
    unroll<kBatches>([&](auto i) { m.at[i] = element(i); });
    return m;
  }

  friend XsimdFloats add(const XsimdFloats& a, const XsimdFloats& b) {
    return make([&](std::size_t i) { return a.at[i] + b.at[i]; });
  }
  friend XsimdFloats sub(const XsimdFloats& a, const XsimdFloats& b) {
    return make([&](std::size_t i) { return a.at[i] - b.at[i]; });
  }
  friend XsimdFloats div(const XsimdFloats& a, const XsimdFloats& b) {
    return make([&](std::size_t i) { return Batch(Level::div(a.at[i], b.at[i])); });
  }
  friend XsimdFloats root(const XsimdFloats& a) {
    return make([&](std::size_t i) { return Batch(Level::root(a.at[i])); });
  }
  friend XsimdFloats fma(const XsimdFloats& a, const XsimdFloats& b, const XsimdFloats& c) {
    return make([&](std::size_t i) { return Batch(Level::fma(a.at[i], b.at[i], c.at[i])); });
  }
  friend Mask above(const XsimdFloats& a, const XsimdFloats& b) {
    return make_mask([&](std::size_t i) { return a.at[i] > b.at[i]; });
  }
  friend Mask not_above(const XsimdFloats& a, const XsimdFloats& b) {
    return make_mask([&](std::size_t i) { return a.at[i] <= b.at[i]; });
  }
  friend Mask both(const Mask& a, const Mask& b) {
    return make_mask([&](std::size_t i) { return a.at[i] & b.at[i]; });
  }
  friend XsimdFloats select(const Mask& m, const XsimdFloats& a, const XsimdFloats& b) {
    return make([&](std::size_t i) { return xsimd::select(m.at[i], a.at[i], b.at[i]); });
  }
  friend XsimdFloats truncated(const XsimdFloats& a) {
    return make([&](std::size_t i) { return Batch(Level::truncated(a.at[i])); });
  }
  friend XsimdFloats lookup(const float* table, const XsimdFloats& index) {
    return make([&](std::size_t i) { return Batch(Level::lookup(table, index.at[i])); });
  }
};

}  // namespace
}  // namespace bitplane::kernels
