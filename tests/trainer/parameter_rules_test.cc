// SPDX-License-Identifier: Apache-2.0
#include "trainer/optim/parameter_rules.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "optim_support.h"
#include "run_support.h"
#include "trainer/optim/optimizer.h"

namespace bitplane::train::testing {
namespace {

LooseParameters loose_net() {
  LooseParameters p;
  p.add("conv1.weight", Tensor::filled({1}, 2.0F));
  p.add("bn1.gamma", Tensor::filled({1}, 2.0F), ParameterRole::BatchNorm);
  p.add("conv2.quantizer.c", Tensor::filled({1}, 2.0F), ParameterRole::Quantizer);
  p.parameters.back().learning_rate_factor = 0.5F;
  p.add("fc.weight", Tensor::filled({1}, 2.0F));
  p.add("fc.bias", Tensor::filled({1}, 2.0F), ParameterRole::Bias);
  return p;
}

std::vector<std::pair<double, double>> factors(const std::string& text) {
  LooseParameters p = loose_net();
  std::vector<std::pair<double, double>> pairs;
  for (const ParameterFactors& f : resolve_factors(p.named(), parse_parameter_rules(text))) {
    pairs.emplace_back(f.rate, f.decay);
  }
  return pairs;
}

using Pairs = std::vector<std::pair<double, double>>;

TEST(ParameterRules, DefaultsAreTheParametersOwn) {
  EXPECT_EQ(factors(""), (Pairs{{1, 1}, {1, 0}, {0.5, 0}, {1, 1}, {1, 0}}));
}

TEST(ParameterRules, RolesNamesAndTheLastWins) {
  // What QIL asks for: its intervals and the last layers at a hundredth, no decay on the intervals.
  EXPECT_EQ(factors("role=quantizer: lr=0.01, decay=0; fc.*: lr=0.01"),
            (Pairs{{1, 1}, {1, 0}, {0.01, 0}, {0.01, 1}, {0.01, 0}}));
  EXPECT_EQ(factors("*:lr=2,decay=3;  *.bias : decay = 1 ;fc.bias:lr=4"),
            (Pairs{{2, 3}, {2, 3}, {2, 3}, {2, 3}, {4, 1}}));
  EXPECT_EQ(factors("conv?.weight:lr=0"), (Pairs{{0, 1}, {1, 0}, {0.5, 0}, {1, 1}, {1, 0}}));
}

TEST(ParameterRules, Patterns) {
  EXPECT_TRUE(matches_pattern("*", ""));
  EXPECT_TRUE(matches_pattern("a*b*c", "a--b-bc-c"));
  EXPECT_TRUE(matches_pattern("**x", "x"));
  EXPECT_FALSE(matches_pattern("a*b", "a-bc"));
  EXPECT_FALSE(matches_pattern("?", ""));
  EXPECT_FALSE(matches_pattern("fc", "fc.weight"));
}

TEST(ParameterRules, WhatIsNoRuleIsSaid) {
  const auto refusal = [](const std::string& text) {
    return message_of<std::invalid_argument>([&] { (void)factors(text); });
  };
  EXPECT_NE(refusal("fc lr=1").find("no ':'"), std::string::npos);
  EXPECT_NE(refusal(": lr=1").find("no names"), std::string::npos);
  EXPECT_NE(refusal("fc*: rate=1").find("'rate=1'"), std::string::npos);
  EXPECT_NE(refusal("fc*: lr=fast").find("number"), std::string::npos);
  EXPECT_NE(refusal("fc*: lr=-1").find("number"), std::string::npos);
  EXPECT_NE(refusal("fc*:").find("neither"), std::string::npos);
  EXPECT_NE(refusal("role=quantiser: lr=1").find("did you mean 'quantizer'"), std::string::npos);
  EXPECT_NE(refusal("fd*: lr=1").find("'fd*' selects no parameter of this net; they are conv1.weight"),
            std::string::npos);
}

TEST(ParameterRules, OptimizersFollowThem) {
  for (const OptimizerInfo& info : optimizers()) {
    SCOPED_TRACE(info.name);
    Backend backend;
    LooseParameters p = loose_net();
    const auto optimizer =
        info.make(p.named(), {.rules = parse_parameter_rules("*: lr=0; fc.weight: lr=0.01")});
    const float one = 1.0F;
    for (Parameter& parameter : p.parameters) give_gradient(backend, parameter.variable, std::span(&one, 1));
    optimizer->step(backend, 1.0);
    for (std::size_t i = 0; i < p.names.size(); ++i) {
      const float value = p.parameters[i].variable.value().data()[0];
      if (p.names[i] == "fc.weight") {
        EXPECT_LT(value, 2.0F);
        EXPECT_GT(value, 1.98F - 1e-3F * 20);
      } else {
        EXPECT_EQ(value, 2.0F) << p.names[i];
      }
    }
  }
}

}  // namespace
}  // namespace bitplane::train::testing
