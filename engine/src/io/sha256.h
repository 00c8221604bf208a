// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace bitplane::engine {

/// SHA-256 (FIPS 180-4) of a message that arrives in parts.
class Sha256 {
 public:
  void update(std::span<const std::byte> part) noexcept;
  /// 64 lower-case hexadecimal digits. The object is used up.
  [[nodiscard]] std::string finish();

 private:
  static constexpr std::size_t kBlockBytes = 64;
  void add_block(const std::byte* block) noexcept;

  std::array<std::uint32_t, 8> state_{0x6a09e667U, 0xbb67ae85U, 0x3c6ef372U, 0xa54ff53aU,
                                      0x510e527fU, 0x9b05688cU, 0x1f83d9abU, 0x5be0cd19U};
  std::array<std::byte, kBlockBytes> pending_{};
  std::size_t pending_size_ = 0;
  std::uint64_t message_bytes_ = 0;
};

}  // namespace bitplane::engine
