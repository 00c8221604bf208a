// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include "trainer/autograd/variable.h"
#include "trainer/math/random.h"
#include "trainer/tensor/backend.h"

namespace bitplane::train::testing {

inline Tensor random_tensor(const Shape& shape, std::uint64_t seed, const char* stream = "test") {
  Random random(seed, stream_of(stream));
  Tensor t(shape);
  for (float& v : t.mutable_values()) v = static_cast<float>(random.normal());
  return t;
}

inline std::vector<std::uint32_t> bits_of(const Tensor& t) {
  std::vector<std::uint32_t> bits;
  for (const float v : t.values()) bits.push_back(std::bit_cast<std::uint32_t>(v));
  return bits;
}

/// Every way to compute that this machine has: each instruction set, with 1, 2 and 3 threads.
struct Machine {
  kernels::Isa isa;
  std::size_t threads;
  [[nodiscard]] std::string str() const {
    return std::string(kernels::isa_name(isa)) + ", " + std::to_string(threads) + " threads";
  }
  [[nodiscard]] BackendOptions options() const { return {kernels::detect_cpu().limited_to(isa), threads}; }
};

inline std::vector<Machine> machines() {
  std::vector<Machine> all;
  for (const kernels::IsaInfo& info : kernels::kIsas) {
    if (!kernels::detect_cpu().has(info.isa)) continue;
    for (std::size_t threads = 1; threads <= 3; ++threads) all.push_back({info.isa, threads});
  }
  return all;
}

}  // namespace bitplane::train::testing
