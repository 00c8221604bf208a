// SPDX-License-Identifier: Apache-2.0
#include "io/sha256.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "io/sha256_x86.h"

namespace bitplane::engine {
namespace {

std::uint32_t big_endian_word(const std::byte* p) noexcept {
  return std::to_integer<std::uint32_t>(p[0]) << 24 | std::to_integer<std::uint32_t>(p[1]) << 16 |
         std::to_integer<std::uint32_t>(p[2]) << 8 | std::to_integer<std::uint32_t>(p[3]);
}

void add_block(std::array<std::uint32_t, 8>& state, const std::byte* block) noexcept {
  std::array<std::uint32_t, 64> w{};
  for (std::size_t i = 0; i < 16; ++i) w[i] = big_endian_word(block + 4 * i);
  for (std::size_t i = 16; i < 64; ++i) {
    const std::uint32_t s0 = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ (w[i - 15] >> 3);
    const std::uint32_t s1 = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ (w[i - 2] >> 10);
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  auto [a, b, c, d, e, f, g, h] = state;
  for (std::size_t i = 0; i < 64; ++i) {
    const std::uint32_t s1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
    const std::uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + kSha256Rounds[i] + w[i];
    const std::uint32_t s0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
    const std::uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = d + t1;
    d = c;
    c = b;
    b = a;
    a = t1 + t2;
  }
  const std::array<std::uint32_t, 8> added{a, b, c, d, e, f, g, h};
  for (std::size_t i = 0; i < 8; ++i) state[i] += added[i];
}

}  // namespace

void Sha256::add_blocks(const std::byte* data, std::size_t blocks) noexcept {
  if (instructions_) return add_sha256_blocks(state_.data(), data, blocks);
  for (; blocks > 0; --blocks, data += kBlockBytes) add_block(state_, data);
}

Sha256::Sha256(Sha256By by) noexcept : instructions_(by == Sha256By::Fastest && has_sha256_instructions()) {}

void Sha256::update(std::span<const std::byte> part) noexcept {
  message_bytes_ += part.size();
  while (!part.empty()) {
    if (pending_size_ == 0 && part.size() >= kBlockBytes) {
      const std::size_t blocks = part.size() / kBlockBytes;
      add_blocks(part.data(), blocks);
      part = part.subspan(blocks * kBlockBytes);
      continue;
    }
    const std::size_t n = std::min(part.size(), kBlockBytes - pending_size_);
    std::memcpy(pending_.data() + pending_size_, part.data(), n);
    pending_size_ += n;
    part = part.subspan(n);
    if (pending_size_ == kBlockBytes) {
      add_blocks(pending_.data(), 1);
      pending_size_ = 0;
    }
  }
}

std::string Sha256::finish() {
  // A one bit, zeros, and the message's length in bits as 64 bits, big-endian, at a block's end.
  const std::uint64_t bits = message_bytes_ * 8;
  std::array<std::byte, 2 * kBlockBytes> tail{};
  tail[0] = std::byte{0x80};
  const std::size_t size = (pending_size_ < 56 ? kBlockBytes : 2 * kBlockBytes) - pending_size_;
  for (std::size_t i = 0; i < 8; ++i) tail[size - 1 - i] = static_cast<std::byte>(bits >> (8 * i));
  update(std::span(tail).first(size));

  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const std::uint32_t word : state_) {
    for (int shift = 28; shift >= 0; shift -= 4) hex += kDigits[word >> shift & 0xFU];
  }
  return hex;
}

}  // namespace bitplane::engine
