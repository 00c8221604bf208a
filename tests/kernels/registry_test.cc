// SPDX-License-Identifier: Apache-2.0
#include "bitplane/kernels/registry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "bitplane/kernels/f32.h"
#include "kernels/f32_support.h"

namespace bitplane::kernels {
namespace {

TEST(Registry, HoldsBuiltKernelsWithUniqueNamesInTheOrderOfIsas) {
  ASSERT_FALSE(registry().empty());
  std::set<std::string_view> names;
  Isa last = Isa::Scalar;
  for (const KernelInfo& info : registry()) {
    EXPECT_TRUE(isa_is_built(info.isa)) << info.name;
    EXPECT_TRUE(names.insert(info.name).second) << info.name << " is listed twice";
    EXPECT_NE(info.name.find(isa_name(info.isa)), std::string_view::npos) << info.name;
    EXPECT_FALSE(family_name(info.family).empty());
    EXPECT_FALSE(info.tile.empty());
    EXPECT_GE(info.isa, last);
    last = info.isa;
  }
}

TEST(Registry, NamesTheKernelsThatSelectionGives) {
  for (const IsaInfo& isa : runnable_isas(Family::F32)) {
    const F32Kernels& kernels = f32_of(isa);
    const auto found = std::find_if(registry().begin(), registry().end(), [&](const KernelInfo& info) {
      return info.family == Family::F32 && info.isa == isa.isa;
    });
    ASSERT_NE(found, registry().end()) << isa.name;
    EXPECT_EQ(found->name, kernels.name);
    EXPECT_EQ(found->isa, kernels.isa);
  }
}

}  // namespace
}  // namespace bitplane::kernels
