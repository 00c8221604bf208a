// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace bitplane::kernels::reference {

/// Random operands that are the same with every standard library.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  std::uint64_t bits() { return engine_(); }
  /// first..last, both included.
  std::size_t between(std::size_t first, std::size_t last) { return first + bits() % (last - first + 1); }
  template <class T>
  T one_of(const std::vector<T>& list) {
    return list[bits() % list.size()];
  }
  bool coin() { return (bits() & 1U) != 0; }
  /// In (-2, 2), with few trailing zeros, so that roundings happen.
  float real() {
    return static_cast<float>(
               static_cast<double>(static_cast<std::int64_t>(bits() >> 11)) / 4503599627370496.0 - 1.0) *
           1.9F;
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace bitplane::kernels::reference
