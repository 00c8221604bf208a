// SPDX-License-Identifier: Apache-2.0
#include "case.h"

#include <algorithm>
#include <cstring>
#include <random>

#include "bitplane/kernels/aligned.h"

namespace bitplane::bench {
namespace {

/// Grows; what was handed out before stays valid until nothing is timed any more.
class Arena {
 public:
  std::byte* at_least(std::size_t bytes) {
    if (blocks_.empty() || blocks_.back().size() < bytes) blocks_.emplace_back(bytes);
    return blocks_.back().data();
  }

 private:
  std::vector<kernels::AlignedArray<std::byte>> blocks_;
};

}  // namespace

bool Selection::wants(std::string_view group) const {
  return groups.empty() || std::find(groups.begin(), groups.end(), group) != groups.end();
}

bool Selection::wants(kernels::Isa isa) const {
  return std::find(isas.begin(), isas.end(), isa) != isas.end();
}

std::byte* shared_output(std::size_t bytes) {
  static Arena arena;
  return arena.at_least(bytes);
}

std::byte* shared_scratch(std::size_t bytes) {
  static Arena arena;
  return arena.at_least(bytes);
}

std::vector<float> random_floats(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> values(count);
  for (float& v : values) v = static_cast<float>(random() >> 8) * 0x1p-23F - 1.0F;
  return values;
}

std::uint64_t hash_of(std::span<const std::byte> bytes) {
  std::uint64_t hash = 0x9e3779b97f4a7c15U;
  for (std::size_t at = 0; at < bytes.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, std::min<std::size_t>(8, bytes.size() - at));
    hash = (hash ^ word) * 0xff51afd7ed558ccdU;
    hash ^= hash >> 32;
  }
  return hash;
}

}  // namespace bitplane::bench
