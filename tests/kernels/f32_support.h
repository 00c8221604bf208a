// SPDX-License-Identifier: Apache-2.0
//
// What the tests of float kernels share: reproducible numbers, guarded outputs, the list of kernels to try.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "bitplane/kernels/f32.h"
#include "bitplane/kernels/isa.h"
#include "kernels/family_isas.h"

namespace bitplane::kernels {

/// splitmix64: the same numbers everywhere.
class Numbers {
 public:
  explicit Numbers(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  /// Full 24-bit mantissas, so that every rounding shows.
  float uniform(float low, float high) {
    return low + (high - low) * static_cast<float>(next() >> 40) * 0x1p-24F;
  }
  std::vector<float> floats(std::size_t count, float low = -1.0F, float high = 1.0F) {
    std::vector<float> values(count);
    for (float& v : values) v = uniform(low, high);
    return values;
  }

 private:
  std::uint64_t state_;
};

/// The bits, so that -0 and +0 differ and NaN equals itself.
inline std::vector<std::uint32_t> bits_of(const std::vector<float>& values) {
  std::vector<std::uint32_t> bits(values.size());
  if (!values.empty()) std::memcpy(bits.data(), values.data(), values.size() * sizeof(float));
  return bits;
}

inline constexpr float kGarbage = -7.0e7F;

inline const F32Kernels& f32_of(const IsaInfo& info) {
  return select_f32(detect_cpu().limited_to(info.isa));
}

}  // namespace bitplane::kernels
