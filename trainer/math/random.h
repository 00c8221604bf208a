// SPDX-License-Identifier: Apache-2.0
//
// Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy
// as 1, 2, 3", SC 2011). A stream is (seed, stream id); element i of it is a pure function of the three, so
// draws need no order and a resumed run needs to remember only counters.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace bitplane::train {

/// One block of four 32-bit numbers.
[[nodiscard]] std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                      std::array<std::uint32_t, 2> key) noexcept;

/// Sequential reading of one stream. `position` can be saved and set.
class Random {
 public:
  Random(std::uint64_t seed, std::uint64_t stream, std::uint64_t position = 0) noexcept;

  [[nodiscard]] std::uint64_t position() const noexcept { return position_; }
  std::uint32_t next_u32() noexcept;
  std::uint64_t next_u64() noexcept;
  /// In [0, bound), bound > 0, without bias (rejection).
  std::uint32_t below(std::uint32_t bound) noexcept;
  /// In [0, 1), 53 bits.
  double uniform() noexcept;
  /// Standard normal: Box-Muller on our own log and cos; takes four 32-bit numbers.
  double normal() noexcept;

 private:
  std::array<std::uint32_t, 2> key_;
  std::uint64_t stream_;
  std::uint64_t position_;  ///< in 32-bit numbers
  std::array<std::uint32_t, 4> block_{};
  bool block_valid_ = false;
};

/// Stream id of a name (FNV-1a, 64 bits): parameters draw from the stream of their name.
[[nodiscard]] std::uint64_t stream_of(std::string_view name) noexcept;

/// Fisher-Yates shuffle of `indices`.
void shuffle(std::span<std::uint32_t> indices, Random& random) noexcept;

}  // namespace bitplane::train
