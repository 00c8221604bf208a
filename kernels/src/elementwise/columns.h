// SPDX-License-Identifier: Apache-2.0
//
// For per-ISA files only. Every loop of the family goes over columns of kWidth floats; V is one ISA's vector
// of kWidth floats with load, store, broadcast and the free functions add, sub, div, fma, above, not_above,
// both, select, truncated (of what fits an int) and lookup (table[i] of whole numbers i). The last column may
// be narrower: it goes through a buffer, with the same operations.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitplane::kernels {
namespace {

constexpr std::size_t kWidth = 16;

template <class V>
struct WholeColumn {
  static V load(const float* p) { return V::load(p); }
  static void store(float* p, const V& v) { v.store(p); }
  static constexpr std::size_t width() { return kWidth; }
};

template <class V>
struct PartialColumn {
  std::size_t count;

  V load(const float* p) const {
    float buffer[kWidth] = {};
    for (std::size_t i = 0; i < count; ++i) buffer[i] = p[i];
    return V::load(buffer);
  }
  void store(float* p, const V& v) const {
    float buffer[kWidth];
    v.store(buffer);
    for (std::size_t i = 0; i < count; ++i) p[i] = buffer[i];
  }
  std::size_t width() const { return count; }
};

/// body(first element, column accessor) for each column of `size` elements.
template <class V, class Body>
[[gnu::always_inline]] inline void for_columns(std::size_t size, Body body) {
  std::size_t first = 0;
  for (; first + kWidth <= size; first += kWidth) body(first, WholeColumn<V>{});
  if (first < size) body(first, PartialColumn<V>{size - first});
}

/// Small non-negative integers held as floats, to and from bytes.
template <class V, class Column>
void store_bytes(const Column& column, std::uint8_t* p, const V& v) {
  float buffer[kWidth];
  v.store(buffer);
  for (std::size_t i = 0; i < column.width(); ++i)
    p[i] = static_cast<std::uint8_t>(static_cast<int>(buffer[i]));
}
template <class V, class Column>
V load_bytes(const Column& column, const std::uint8_t* p) {
  float buffer[kWidth] = {};
  for (std::size_t i = 0; i < column.width(); ++i) buffer[i] = static_cast<float>(p[i]);
  return V::load(buffer);
}

}  // namespace
}  // namespace bitplane::kernels
