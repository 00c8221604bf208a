// SPDX-License-Identifier: Apache-2.0
#include "trainer/ops/dropout.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "trainer/nn/layers.h"
#include "trainer_support.h"

namespace bitplane::train::testing {
namespace {

constexpr std::size_t kElements = 40000;  // three pieces of the parallel loop, the last one short

Tensor dropped(const BackendOptions& options, std::uint64_t seed, std::uint64_t step, const char* layer) {
  Backend backend(options);
  const Context ctx{.backend = backend, .seed = seed, .step = step};
  return Dropout(0.25, layer).forward(ctx, Variable(Tensor::filled({kElements}, 3.0F))).value();
}

TEST(DropoutTest, BitsDependOnSeedLayerAndStepAlone) {
  const auto expected = bits_of(dropped({kernels::detect_cpu(), 1}, 7, 5, "drop6"));
  for (const Machine& machine : machines()) {
    SCOPED_TRACE(machine.str());
    EXPECT_EQ(bits_of(dropped(machine.options(), 7, 5, "drop6")), expected);
  }
  EXPECT_NE(bits_of(dropped({}, 8, 5, "drop6")), expected);
  EXPECT_NE(bits_of(dropped({}, 7, 6, "drop6")), expected);
  EXPECT_NE(bits_of(dropped({}, 7, 5, "drop7")), expected);
}

TEST(DropoutTest, ElementsAreZeroOrScaledAndTheMeanStays) {
  const Tensor y = dropped({}, 1, 0, "drop");
  const auto zeros = static_cast<double>(std::count(y.values().begin(), y.values().end(), 0.0F));
  EXPECT_NEAR(zeros / kElements, 0.25, 0.01);
  EXPECT_TRUE(
      std::all_of(y.values().begin(), y.values().end(), [](float v) { return v == 0.0F || v == 4.0F; }));
}

TEST(DropoutTest, EvaluationHandsTheInputOn) {
  Backend backend;
  const Context ctx{.backend = backend, .mode = Mode::Eval};
  const Variable x(random_tensor({5, 3}, 1));
  EXPECT_EQ(dropout(ctx, x, {.rate = 0.9}).value().data(), x.value().data());
  EXPECT_THROW(dropout(ctx, x, {.rate = 1.0}), std::invalid_argument);
  EXPECT_THROW(dropout(ctx, x, {.rate = -0.1}), std::invalid_argument);
}

}  // namespace
}  // namespace bitplane::train::testing
