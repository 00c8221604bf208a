// SPDX-License-Identifier: Apache-2.0
//
// One test per ISA of family `elementwise` that is built.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <vector>

#include "bitplane/kernels/elementwise.h"
#include "kernels/f32_support.h"

namespace bitplane::kernels {

inline constexpr float kInfinity = std::numeric_limits<float>::infinity();

class ElementwiseIsaTest : public testing::TestWithParam<IsaInfo> {
 protected:
  void SetUp() override {
    if (!detect_cpu().has(GetParam().isa)) GTEST_SKIP() << GetParam().name << " cannot run here";
    ASSERT_EQ(kernels().isa, GetParam().isa);
  }
  const ElementwiseKernels& kernels() const {
    return select_elementwise(detect_cpu().limited_to(GetParam().isa));
  }
};

/// Every ISA over blocks of many sizes.
class ElementwiseBlockTest : public ElementwiseIsaTest {
 protected:
  /// body(block, numbers) for each size, with its own seed.
  template <class Body>
  void for_blocks(Body body) {
    for (const std::size_t rows : {1, 2, 7, 64}) {
      for (const std::size_t channels : {1, 3, 15, 16, 17, 32, 47, 64}) {
        const std::uint64_t seed = rows * 1000 + channels;
        SCOPED_TRACE(testing::Message()
                     << kernels().name << " rows=" << rows << " channels=" << channels << " seed=" << seed);
        Numbers numbers(seed);
        body(RowBlock{rows, channels}, numbers);
      }
    }
  }
};

/// Normal numbers with the awkward ones strewn in.
inline std::vector<float> awkward(Numbers& numbers, std::size_t count) {
  constexpr float kAwkward[] = {0.0F, -0.0F, 1.0e-42F, -3.0e-39F, 3.0e38F, 0.5F, 1.5F, -1.0F};
  std::vector<float> values = numbers.floats(count, -2.0F, 2.0F);
  for (float& v : values) {
    if (numbers.next() % 8 == 0) v = kAwkward[numbers.next() % std::size(kAwkward)];
  }
  return values;
}

}  // namespace bitplane::kernels
