// SPDX-License-Identifier: Apache-2.0
//
// The kernels that tests of family `dot` run on.
#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "bitplane/kernels/dot.h"
#include "kernels/emulated_dot.h"
#include "kernels/family_isas.h"

namespace bitplane::kernels {

/// A kernel under test: one of the registry's, or one over emulated instructions.
struct DotCase {
  KernelInfo info;
  const DotKernels* kernels = nullptr;  ///< null: the CPU lacks it
};

inline void PrintTo(const DotCase& test, std::ostream* out) {
  *out << test.info.name;
}

inline std::vector<DotCase> dot_cases() {
  std::vector<DotCase> cases{{emulated::kVnni.info, &emulated::kVnni},
                             {emulated::kTiles.info, &emulated::kTiles}};
  for (const KernelInfo& info : registry()) {
    if (info.family != Family::Dot) continue;
    const CpuFeatures features = test_cpu();
    cases.push_back({info, features.has(info.isa) ? &select_dot(features.limited_to(info.isa)) : nullptr});
  }
  return cases;
}

class DotKernelTest : public testing::TestWithParam<DotCase> {
 protected:
  void SetUp() override {
    if (GetParam().kernels == nullptr) GTEST_SKIP() << isa_name(GetParam().info.isa) << " cannot run here";
    ASSERT_EQ(kernel_name(kernels()), GetParam().info.name);
  }
  static const DotKernels& kernels() { return *GetParam().kernels; }
};

inline std::string dot_case_name(const testing::TestParamInfo<DotCase>& test) {
  return std::string(test.param.info.name);
}

}  // namespace bitplane::kernels
