// SPDX-License-Identifier: Apache-2.0
#include "trainer/math/random.h"

#include <cmath>
#include <utility>

#include "trainer/math/transcendental.h"

namespace bitplane::train {

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key) noexcept {
  constexpr std::uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  constexpr std::uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  constexpr int kRounds = 10;
  for (int round = 0; round < kRounds; ++round) {
    const std::uint64_t p0 = kMultiplier0 * counter[0];
    const std::uint64_t p1 = kMultiplier1 * counter[2];
    counter = {static_cast<std::uint32_t>(p1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(p1),
               static_cast<std::uint32_t>(p0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(p0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

Random::Random(std::uint64_t seed, std::uint64_t stream, std::uint64_t position) noexcept
    : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)},
      stream_(stream),
      position_(position) {}

std::uint32_t Random::next_u32() noexcept {
  const std::uint64_t block = position_ / 4;
  if (position_ % 4 == 0 || !block_valid_) {
    block_ = philox4x32({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32),
                         static_cast<std::uint32_t>(stream_), static_cast<std::uint32_t>(stream_ >> 32)},
                        key_);
    block_valid_ = true;
  }
  return block_[position_++ % 4];
}

std::uint64_t Random::next_u64() noexcept {
  const std::uint64_t low = next_u32();
  return low | static_cast<std::uint64_t>(next_u32()) << 32;
}

std::uint32_t Random::below(std::uint32_t bound) noexcept {
  // The high word of x * bound; rejected where the low word falls into the incomplete part (Lemire 2019).
  const std::uint32_t incomplete = (0U - bound) % bound;
  for (;;) {
    const std::uint64_t product = static_cast<std::uint64_t>(next_u32()) * bound;
    if (static_cast<std::uint32_t>(product) >= incomplete) return static_cast<std::uint32_t>(product >> 32);
  }
}

double Random::uniform() noexcept {
  return static_cast<double>(next_u64() >> 11) * 0x1p-53;
}

double Random::normal() noexcept {
  const double u = 1.0 - uniform();  // (0, 1]
  return std::sqrt(-2.0 * math::log(u)) * math::cos_turns(uniform());
}

std::uint64_t stream_of(std::string_view name) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : name) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3ULL;
  }
  return hash;
}

void shuffle(std::span<std::uint32_t> indices, Random& random) noexcept {
  for (std::size_t i = indices.size(); i > 1; --i) {
    std::swap(indices[i - 1], indices[random.below(static_cast<std::uint32_t>(i))]);
  }
}

}  // namespace bitplane::train
