// SPDX-License-Identifier: Apache-2.0
//
// Bytes to planes without any vector instruction: for backends that have nothing better.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitplane::kernels {
namespace {

inline constexpr std::size_t kWordChannels = 64;

[[gnu::always_inline]] inline void map_codes_by_byte(std::uint8_t* bytes, const std::uint8_t* table) {
  for (std::size_t i = 0; i < kWordChannels; ++i) bytes[i] = table[bytes[i]];
}

[[gnu::always_inline]] inline std::uint64_t plane_word_by_products(const std::uint8_t* codes,
                                                                   std::size_t plane) {
  std::uint64_t word = 0;
  for (std::size_t byte = 0; byte < kWordChannels / 8; ++byte) {
    std::uint64_t eight;
    __builtin_memcpy(&eight, codes + byte * 8, 8);
    // Bit 8i of the masked word lands on bit 56 + i of the product, without carries.
    const std::uint64_t gathered = (((eight >> plane) & 0x0101010101010101U) * 0x0102040810204080U) >> 56;
    word |= gathered << (byte * 8);
  }
  return word;
}

}  // namespace
}  // namespace bitplane::kernels
