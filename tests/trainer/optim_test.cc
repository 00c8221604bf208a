// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "golden_support.h"
#include "trainer/optim/optimizer.h"
#include "trainer/optim/schedule.h"

namespace bitplane::train::testing {
namespace {

TEST(SgdTest, Golden) {
  for (const Json& c : golden::cases("nn", "sgd")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    Backend backend;
    Parameter p{.variable = Variable(tensor(c.at("theta")), Gradient::Required), .init = {}};
    const auto sgd =
        make_sgd({{"theta", &p}}, {.momentum = c.at("momentum"), .weight_decay = c.at("weight_decay")});
    const Tensor gradients = tensor(c.at("gradients"));
    const std::size_t steps = gradients.shape()[0], size = gradients.shape()[1];
    std::vector<float> theta, velocity;
    for (std::size_t s = 0; s < steps; ++s) {
      const Context ctx{backend};
      const Variable y = record(ctx, "identity", p.variable.value().clone(), {p.variable},
                                [](const Tensor& dy) -> std::vector<Tensor> { return {dy}; });
      backward(ctx, y, Tensor::from({size}, gradients.values().subspan(s * size, size)));
      sgd->step(backend, c.at("lr"));
      p.variable.clear_grad();
      theta.insert(theta.end(), p.variable.value().values().begin(), p.variable.value().values().end());
      sgd->visit_state([&](const std::string& name, Tensor& t) {
        EXPECT_EQ(name, "theta.velocity");
        velocity.insert(velocity.end(), t.values().begin(), t.values().end());
      });
    }
    expect_close<float>(theta, doubles(c.at("theta_after")), kFloatTolerance, "theta_after");
    expect_close<float>(velocity, doubles(c.at("velocity_after")), kFloatTolerance, "velocity_after");
  }
}

/// Against the recursion in double, as its authors write it (Sutskever et al. 2013): the velocity is taken at
/// the point ahead, theta + momentum * u.
TEST(SgdTest, NesterovLooksAhead) {
  Backend backend;
  const Context ctx{backend};
  Parameter p{.variable = Variable(Tensor::filled({1}, 2.0F), Gradient::Required), .init = {}};
  const auto nesterov = make_nesterov({{"p", &p}}, {.momentum = 0.75});
  double theta = 2.0, u = 0.0;  // of f(x) = x^2 / 2, whose gradient is x
  for (int step = 0; step < 8; ++step) {
    const double ahead = theta + 0.75 * u;
    EXPECT_NEAR(p.variable.value().data()[0], ahead, 1e-6) << "step " << step;
    u = 0.75 * u - 0.125 * ahead;
    theta += u;
    const Variable y =
        record(ctx, "square", Tensor::filled({1}, 0.0F), {p.variable},
               [x = p.variable.value().clone()](const Tensor&) -> std::vector<Tensor> { return {x}; });
    backward(ctx, y);
    nesterov->step(backend, 0.125);
    p.variable.clear_grad();
  }
}

TEST(SgdTest, RolesAndFactors) {
  Backend backend;
  const Context ctx{backend};
  for (const ParameterRole role :
       {ParameterRole::Weight, ParameterRole::Bias, ParameterRole::BatchNorm, ParameterRole::Quantizer}) {
    Parameter p{.variable = Variable(Tensor::filled({1}, 2.0F), Gradient::Required),
                .role = role,
                .init = {},
                .learning_rate_factor = 0.5F};
    const auto sgd = make_sgd({{"p", &p}}, {.momentum = 0.0, .weight_decay = 0.25});
    sgd->step(backend, 1.0);
    EXPECT_EQ(p.variable.value().data()[0], 2.0F) << "no gradient, no step";
    const Variable y = record(ctx, "one", p.variable.value().clone(), {p.variable},
                              [](const Tensor& dy) -> std::vector<Tensor> { return {dy}; });
    backward(ctx, y);
    sgd->step(backend, 1.0);
    const float decayed = role == ParameterRole::Weight ? 1.0F + 0.25F * 2.0F : 1.0F;
    EXPECT_EQ(p.variable.value().data()[0], 2.0F - 0.5F * decayed);
  }
}

TEST(OptimizerList, FindsItsNames) {
  for (const OptimizerInfo& info : optimizers()) EXPECT_EQ(find_optimizer(info.name), &info);
  EXPECT_EQ(find_optimizer("adam?"), nullptr);
}

double rate(std::string_view name, const ScheduleOptions& options, std::size_t step) {
  return find_schedule(name)->make(options)->rate(step);
}

TEST(ScheduleTest, KnownValues) {
  const ScheduleOptions o{.rate = 0.4, .total_steps = 100, .drops = {30, 60}};
  EXPECT_EQ(rate("constant", o, 77), 0.4);
  EXPECT_EQ(rate("step", o, 29), 0.4);
  EXPECT_NEAR(rate("step", o, 30), 0.04, 1e-15);
  EXPECT_NEAR(rate("step", o, 99), 0.004, 1e-15);
  EXPECT_NEAR(rate("polynomial", o, 25), 0.3, 1e-15);
  EXPECT_EQ(rate("polynomial", o, 100), 0.0);
  ScheduleOptions square = o;
  square.power = 2.0;
  EXPECT_NEAR(rate("polynomial", square, 50), 0.1, 1e-15);
  EXPECT_EQ(rate("cosine", o, 0), 0.4);
  EXPECT_NEAR(rate("cosine", o, 50), 0.2, 1e-15);
  EXPECT_NEAR(rate("cosine", o, 25), 0.4 * 0.5 * (1.0 + std::sqrt(0.5)), 1e-15);
  EXPECT_NEAR(rate("cosine", o, 100), 0.0, 1e-15);
}

TEST(ScheduleTest, OneCycleStartsPeaksAndEnds) {
  const ScheduleOptions o{.rate = 0.1, .total_steps = 100, .warmup = 0.3};
  EXPECT_NEAR(rate("one-cycle", o, 0), 0.1 / 25.0, 1e-15);
  EXPECT_NEAR(rate("one-cycle", o, 29), 0.1, 1e-15);
  EXPECT_NEAR(rate("one-cycle", o, 99), 0.1 / 25.0 / 1e4, 1e-15);
  for (std::size_t s = 1; s <= 29; ++s) EXPECT_GT(rate("one-cycle", o, s), rate("one-cycle", o, s - 1));
  for (std::size_t s = 30; s < 100; ++s) EXPECT_LT(rate("one-cycle", o, s), rate("one-cycle", o, s - 1));
}

TEST(ScheduleTest, OneCyclePeaksWhereItIsTold) {
  const ScheduleOptions o{
      .rate = 0.2, .total_steps = 100, .warmup = 0.2, .start_divisor = 10.0, .end_divisor = 5.0};
  EXPECT_NEAR(rate("one-cycle", o, 0), 0.02, 1e-15);
  EXPECT_NEAR(rate("one-cycle", o, 19), 0.2, 1e-15);
  EXPECT_LT(rate("one-cycle", o, 20), 0.2);
  EXPECT_NEAR(rate("one-cycle", o, 99), 0.004, 1e-15);
}

TEST(ScheduleTest, TheOthersWarmUpLinearlyAndFallOverTheRest) {
  const ScheduleOptions o{.rate = 0.4, .total_steps = 100, .warmup = 0.1, .drops = {30, 60}};
  for (const ScheduleInfo& info : schedules()) {
    if (info.name == "one-cycle") continue;
    EXPECT_NEAR(rate(info.name, o, 0), 0.04, 1e-15) << info.name;
    EXPECT_NEAR(rate(info.name, o, 4), 0.2, 1e-15) << info.name;
    EXPECT_NEAR(rate(info.name, o, 9), 0.4, 1e-15) << info.name;
    EXPECT_NEAR(rate(info.name, o, 10), 0.4, 1e-15) << info.name;
  }
  EXPECT_NEAR(rate("cosine", o, 55), 0.2, 1e-15);
  EXPECT_NEAR(rate("polynomial", o, 55), 0.2, 1e-15);
  EXPECT_NEAR(rate("step", o, 45), 0.04, 1e-15);
}

TEST(ScheduleTest, EveryScheduleStaysFiniteOnShortRuns) {
  for (const ScheduleInfo& info : schedules()) {
    EXPECT_EQ(find_schedule(info.name), &info);
    for (const std::size_t total : {0U, 1U, 2U, 3U}) {
      for (const double warmup : {0.0, 0.3, 1.0}) {
        for (std::size_t s = 0; s <= total + 1; ++s) {
          const double r = rate(info.name, {.rate = 0.1, .total_steps = total, .warmup = warmup}, s);
          EXPECT_TRUE(r >= 0.0 && r <= 0.1) << info.name << " " << r << " at " << s << " of " << total;
        }
      }
    }
  }
}

}  // namespace
}  // namespace bitplane::train::testing
