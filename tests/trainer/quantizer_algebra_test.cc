// SPDX-License-Identifier: Apache-2.0
//
// The small least-squares problems of LQ-Nets and ABC-Net have the same bits on any machine. They are written
// down here, so that a compiler, an Eigen or a CPU that gives others is seen.
#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "golden_support.h"
#include "trainer/quantizers/list.h"
#include "trainer/quantizers/lq_basis.h"

namespace bitplane::train::testing {
namespace {

/// Numbers in [0, 1) from whole ones alone.
class Numbers {
 public:
  double next() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<double>(state_ >> 11U) * 0x1p-53;
  }

 private:
  std::uint64_t state_ = 12345;
};

class Digest {
 public:
  void add(std::uint64_t bits) { value_ = (value_ ^ bits) * 1099511628211U; }
  [[nodiscard]] std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 14695981039346656037U;
};

TEST(QuantizerAlgebra, TheBasesOfLqNetsHaveTheSameBitsEverywhere) {
  const std::vector<std::uint64_t> known{0x8b65d63bdf937022U, 0xda2b3db54f4806fbU, 0x78c03d34efd94723U,
                                         0xc44c1338b23e105cU, 0xb098bcb28e3b802aU, 0x5a4b31d106e2715fU,
                                         0x24e736922e34ebb6U, 0xa3e65a32608bc84dU};
  Numbers numbers;
  for (std::size_t bits = 1; bits <= 8; ++bits) {
    Digest digest;
    for (const auto encoding : {kernels::Encoding::Bipolar, kernels::Encoding::Unsigned}) {
      for (int repetition = 0; repetition < 20; ++repetition) {
        std::vector<float> v;
        for (std::size_t j = 0; j < bits; ++j) v.push_back(static_cast<float>(numbers.next()));
        const ThresholdTable table = lq_table(encoding, v);
        RankStatistics statistics;
        for (std::size_t rank = 0; rank < table.levels.size(); ++rank) {
          statistics.count.push_back(static_cast<std::uint64_t>(numbers.next() * 1000));
          statistics.sum.push_back((numbers.next() - 0.5) * 1000);
        }
        const std::vector<double> old(v.begin(), v.end());
        for (const double u : lq_solve(encoding, table, statistics, old))
          digest.add(std::bit_cast<std::uint64_t>(u));
      }
    }
    EXPECT_EQ(digest.value(), known.at(bits - 1)) << bits << " bits";
  }
}

TEST(QuantizerAlgebra, TheSharesOfAbcNetHaveTheSameBitsEverywhere) {
  const std::vector<std::uint64_t> known{0x3e9cabd6e7550911U, 0x5cea35b8bd4a251fU, 0x7f361c1e03ab4a99U,
                                         0x0d2296628b6d6329U, 0xe41a9d9665133e58U, 0xecb9ac5ef0239a74U,
                                         0xdc73cf7dc8c004fdU, 0xa695250ebd13b7e6U};
  Backend backend({.threads = 1});
  const Context ctx{.backend = backend};
  Numbers numbers;
  for (std::size_t bits = 1; bits <= 8; ++bits) {
    Digest digest;
    for (int repetition = 0; repetition < 20; ++repetition) {
      Tensor weights = Tensor::zeros({6, 37});
      for (float& w : weights.mutable_values()) {  // nearly normal
        for (int i = 0; i < 8; ++i) w += static_cast<float>(numbers.next() - 0.5);
      }
      const auto quantizer = find_quantizer("abc-net")->make_weights(
          {.bits = bits, .out_channels = 6, .filter_size = 37, .options = {}});
      for (const float v : quantizer->forward(ctx, weights).values())
        digest.add(std::bit_cast<std::uint32_t>(v));
    }
    EXPECT_EQ(digest.value(), known.at(bits - 1)) << bits << " bits";
  }
}

}  // namespace
}  // namespace bitplane::train::testing
