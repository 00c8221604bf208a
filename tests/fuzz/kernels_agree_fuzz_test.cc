// SPDX-License-Identifier: Apache-2.0
//
// The fuzz target's body over inputs from a fixed seed: what every run of the tests can afford of it.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <random>

#include "fuzz/kernels_agree_body.h"

namespace bitplane::fuzz {
namespace {

constexpr std::uint64_t kSeed = 20261121;
constexpr std::chrono::seconds kTime{3};
constexpr std::size_t kLeastRounds = 20, kMostRounds = 400;

TEST(FuzzKernelsAgree, RandomLayersOnAllKernels) {
  std::mt19937_64 random(kSeed);
  const auto end = std::chrono::steady_clock::now() + kTime;
  for (std::size_t round = 0;
       round < kLeastRounds || (round < kMostRounds && std::chrono::steady_clock::now() < end); ++round) {
    std::array<std::byte, kKernelsAgreeBytes> bytes{};
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
    ASSERT_EQ(check_kernels_agree(bytes), "") << "round " << round << " of seed " << kSeed;
  }
}

TEST(FuzzKernelsAgree, ShortAndEmptyInputs) {
  EXPECT_EQ(check_kernels_agree({}), "");
  const std::array<std::byte, 3> few{std::byte{1}, std::byte{2}, std::byte{3}};
  EXPECT_EQ(check_kernels_agree(few), "");
}

}  // namespace
}  // namespace bitplane::fuzz
