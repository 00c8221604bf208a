// SPDX-License-Identifier: Apache-2.0
//
// Files are little-endian, and so is every machine that Bitplane supports: moving values is memcpy, which is
// also the way to read them at any alignment.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

namespace bitplane::engine {

static_assert(std::endian::native == std::endian::little,
              "the model format needs byte swaps on this machine");
static_assert(sizeof(std::size_t) == 8, "sizes of the model format are 64-bit");

inline constexpr std::size_t kLengthBytes = sizeof(std::uint64_t);

/// Values of the first bytes.size() / sizeof(T) elements.
template <class T>
[[nodiscard]] std::vector<T> values_of(std::span<const std::byte> bytes) {
  static_assert(std::is_trivially_copyable_v<T>);
  std::vector<T> values(bytes.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return values;
}

}  // namespace bitplane::engine
