// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "optim_support.h"
#include "trainer/optim/optimizer.h"
#include "trainer_support.h"

namespace bitplane::train::testing {
namespace {

struct Reference {
  double theta, mean = 0, square = 0;
};

/// One step as the papers write it, in double.
void reference_step(Reference& r, double gradient, const OptimizerOptions& o, double rate, int t,
                    bool decoupled) {
  const double g = decoupled ? gradient : gradient + o.weight_decay * r.theta;
  r.mean = o.momentum * r.mean + (1 - o.momentum) * g;
  r.square = o.beta2 * r.square + (1 - o.beta2) * g * g;
  const double mean = r.mean / (1 - std::pow(o.momentum, t));
  const double square = r.square / (1 - std::pow(o.beta2, t));
  const double shrunk = decoupled ? r.theta * (1 - rate * o.weight_decay) : r.theta;
  r.theta = shrunk - rate * mean / (std::sqrt(square) + o.epsilon);
}

TEST(AdamTest, FollowsThePapers) {
  const std::size_t size = 19;
  for (const char* name : {"adam", "adamw"}) {
    SCOPED_TRACE(name);
    Backend backend;
    const OptimizerOptions options{.momentum = 0.8, .weight_decay = 0.1, .beta2 = 0.95};
    const Tensor start = random_tensor({size}, 3);
    LooseParameters p;
    p.add("w", start);
    const auto adam = find_optimizer(name)->make(p.named(), options);
    std::vector<Reference> reference;
    for (const float v : start.values()) reference.push_back({.theta = v});
    for (int t = 1; t <= 12; ++t) {
      const Tensor gradient = random_tensor({size}, 100 + static_cast<std::uint64_t>(t));
      give_gradient(backend, p.parameters[0].variable, gradient.values());
      const double rate = 0.01 * t;
      adam->step(backend, rate);
      for (std::size_t i = 0; i < size; ++i) {
        reference_step(reference[i], gradient.data()[i], options, rate, t, std::string(name) == "adamw");
        EXPECT_NEAR(p.parameters[0].variable.value().data()[i], reference[i].theta, 2e-6) << "step " << t;
      }
    }
  }
}

TEST(AdamTest, TheFirstStepIsTheRateWhateverTheGradient) {
  Backend backend;
  for (const float gradient : {1e-3F, 1.0F, -1e3F}) {
    LooseParameters p;
    p.add("w", Tensor::filled({1}, 0.5F));
    const auto adam = make_adam(p.named(), {});
    give_gradient(backend, p.parameters[0].variable, std::span(&gradient, 1));
    adam->step(backend, 0.25);
    EXPECT_NEAR(p.parameters[0].variable.value().data()[0], gradient > 0 ? 0.25F : 0.75F, 1e-5);
  }
}

TEST(OptimizerTest, EveryMachineGivesTheSameBits) {
  const Shape shape{3, 5, 7, 601};  // several pieces of a flat loop, and a tail
  for (const OptimizerInfo& info : optimizers()) {
    SCOPED_TRACE(info.name);
    std::vector<std::uint32_t> expected;
    for (const Machine& machine : machines()) {
      Backend backend(machine.options());
      LooseParameters p;
      p.add("w", random_tensor(shape, 1));
      const auto optimizer = info.make(p.named(), {.weight_decay = 1e-3});
      for (std::uint64_t t = 0; t < 3; ++t) {
        give_gradient(backend, p.parameters[0].variable, random_tensor(shape, 10 + t).values());
        optimizer->step(backend, 0.1);
      }
      const auto bits = bits_of(p.parameters[0].variable.value());
      if (expected.empty()) expected = bits;
      EXPECT_TRUE(bits == expected) << machine.str();
    }
  }
}

}  // namespace
}  // namespace bitplane::train::testing
