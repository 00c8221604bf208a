// SPDX-License-Identifier: Apache-2.0
//
// The fuzz target's body over mutations from a fixed seed: what every run of the tests can afford of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <random>
#include <string_view>

#include "fuzz/model_reader_body.h"

namespace bitplane::fuzz {
namespace {

using Bytes = std::vector<std::byte>;

constexpr std::uint64_t kSeed = 20240607;
constexpr std::chrono::seconds kTime{3};
constexpr std::size_t kLeastRounds = 500;  ///< even on a slow machine

/// Pieces that mean something to the parser reach deeper than random bytes.
constexpr std::string_view kTokens[] = {"0",        "1",      "-1",      "18446744073709551615",
                                        "[",        "]",      "{",       "}",
                                        ",",        ":",      "\"",      "\\\"",
                                        "\\u0000",  "null",   "1e308",   "[[[[[[[[[",
                                        "I64",      "U8",     "F32",     "planes",
                                        "learned",  "conv2d", "flatten", "input",
                                        "concat",   "add",    "2",       "quantize",
                                        "codebook", "layer",  "channel", "dequantize"};

class Mutator {
 public:
  void apply(Bytes& bytes) {
    const std::size_t changes = 1 + below(4);
    for (std::size_t i = 0; i < changes && !bytes.empty(); ++i) change(bytes);
  }

 private:
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }

  void change(Bytes& bytes) {
    const std::size_t at = below(bytes.size());
    const auto position = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    switch (below(6)) {
      case 0:
        *position ^= std::byte{1} << below(8);
        return;
      case 1:
        *position = static_cast<std::byte>(random_());
        return;
      case 2: {
        const auto text = std::as_bytes(std::span(kTokens[below(std::size(kTokens))]));
        bytes.insert(position, text.begin(), text.end());
        return fix_length(bytes, at, static_cast<std::ptrdiff_t>(text.size()));
      }
      case 3: {
        const std::size_t n = 1 + below(std::min<std::size_t>(16, bytes.size() - at));
        bytes.erase(position, position + static_cast<std::ptrdiff_t>(n));
        return fix_length(bytes, at, -static_cast<std::ptrdiff_t>(n));
      }
      case 4: {
        const Bytes copy(position, position + static_cast<std::ptrdiff_t>(
                                                  1 + below(std::min<std::size_t>(64, bytes.size() - at))));
        bytes.insert(position, copy.begin(), copy.end());
        return fix_length(bytes, at, static_cast<std::ptrdiff_t>(copy.size()));
      }
      default:
        bytes.resize(at);
    }
  }

  /// Most of the time the header's length follows an insertion into the header, so that the JSON is looked
  /// at.
  void fix_length(Bytes& bytes, std::size_t at, std::ptrdiff_t change) {
    std::uint64_t length = 0;
    if (bytes.size() < 8 || at < 8 || below(8) == 0) return;
    std::memcpy(&length, bytes.data(), 8);
    if (at >= 8 + length) return;
    length += static_cast<std::uint64_t>(change);
    std::memcpy(bytes.data(), &length, 8);
  }

  std::mt19937_64 random_{kSeed};
};

TEST(FuzzModelReader, MutationsAreRefusedOrRoundTrip) {
  const std::vector<Bytes> seeds = seed_models();
  for (const Bytes& seed : seeds) {
    ASSERT_FALSE(seed.empty());
    ASSERT_EQ(check_model_reader(seed), "");
  }
  Mutator mutator;
  const auto end = std::chrono::steady_clock::now() + kTime;
  for (std::size_t round = 0; round < kLeastRounds || std::chrono::steady_clock::now() < end; ++round) {
    Bytes bytes = seeds[round % seeds.size()];
    mutator.apply(bytes);
    bytes.shrink_to_fit();  // a sanitizer then sees the first byte behind the end
    ASSERT_EQ(check_model_reader(bytes), "") << "round " << round << " of seed " << kSeed;
  }
}

TEST(FuzzModelReader, ShortAndEmptyInputs) {
  EXPECT_EQ(check_model_reader({}), "");
  const Bytes zeros(64);
  for (std::size_t size = 0; size <= zeros.size(); ++size) {
    EXPECT_EQ(check_model_reader(std::span(zeros).first(size)), "");
  }
}

}  // namespace
}  // namespace bitplane::fuzz
