// SPDX-License-Identifier: Apache-2.0
#include "trainer/optim/gradients.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "optim_support.h"
#include "trainer_support.h"

namespace bitplane::train::testing {
namespace {

/// Sizes around the chains and the blocks of the norm.
const std::vector<std::size_t> kSizes{1, 7, 8, 9, 4095, 4096, 4097, 20011};

LooseParameters with_gradients(Backend& backend, const std::vector<std::size_t>& sizes) {
  LooseParameters p;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    p.add("layer" + std::to_string(i) + ".weight", Tensor::zeros({sizes[i]}));
    give_gradient(backend, p.parameters[i].variable, random_tensor({sizes[i]}, 50 + i).values());
  }
  return p;
}

TEST(GradientsTest, TheNormIsThatOfAllOfThem) {
  std::vector<double> norms;
  for (const Machine& machine : machines()) {
    Backend backend(machine.options());
    LooseParameters p = with_gradients(backend, kSizes);
    p.add("without", Tensor::zeros({5}));
    const GradientSummary summary = summarize_gradients(backend, p.named());
    long double sum = 0;
    for (const Parameter& parameter : p.parameters) {
      if (!parameter.variable.has_grad()) continue;
      for (const float v : parameter.variable.grad().values()) sum += static_cast<long double>(v) * v;
    }
    EXPECT_NEAR(summary.norm, static_cast<double>(std::sqrt(sum)), 1e-10);
    EXPECT_FALSE(summary.not_finite);
    norms.push_back(summary.norm);
  }
  for (const double norm : norms) EXPECT_EQ(norm, norms.front());
}

TEST(GradientsTest, ClippingScalesOnlyWhatIsTooLong) {
  Backend backend;
  LooseParameters p = with_gradients(backend, {3, 9});
  const auto before = bits_of(p.parameters[1].variable.grad());
  const GradientSummary summary = summarize_gradients(backend, p.named());
  clip_gradients(backend, p.named(), summary, summary.norm);
  EXPECT_EQ(bits_of(p.parameters[1].variable.grad()), before);
  const Tensor whole = p.parameters[1].variable.grad().clone();
  clip_gradients(backend, p.named(), summary, 0.5);
  EXPECT_NEAR(summarize_gradients(backend, p.named()).norm, 0.5, 1e-6);
  const auto factor = static_cast<float>(0.5 / summary.norm);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    EXPECT_EQ(p.parameters[1].variable.grad().data()[i], whole.data()[i] * factor);
  }
}

TEST(GradientsTest, ABadNumberIsFoundNearestToTheLoss) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN(),
                  kInf = std::numeric_limits<float>::infinity();
  for (const float bad : {kNan, kInf, -kInf}) {
    Backend backend;
    LooseParameters p = with_gradients(backend, {5, 4097, 6, 7});
    p.parameters[0].variable.mutable_grad().mutable_data()[4] = bad;
    p.parameters[1].variable.mutable_grad().mutable_data()[4096] = bad;
    EXPECT_EQ(summarize_gradients(backend, p.named()).not_finite, "layer1.weight");
  }
  Backend backend;
  LooseParameters large = with_gradients(backend, {5});
  large.parameters[0].variable.mutable_grad().fill(std::numeric_limits<float>::max());
  EXPECT_FALSE(summarize_gradients(backend, large.named()).not_finite) << "large, but finite";
}

}  // namespace
}  // namespace bitplane::train::testing
