// SPDX-License-Identifier: Apache-2.0
//
// One test per ISA of family `elementwise` that is built.
#pragma once

#include <gtest/gtest.h>

#include <limits>

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

}  // namespace bitplane::kernels
