// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "trainer/autograd/gradcheck.h"
#include "trainer/autograd/profile.h"
#include "trainer/autograd/variable.h"
#include "trainer/ops/elementwise.h"
#include "trainer_support.h"

namespace bitplane::train {
namespace {

using testing::random_tensor;

class AutogradTest : public ::testing::Test {
 protected:
  Backend backend_;
  Context ctx_{backend_};
};

Variable leaf(float value) {
  return Variable(Tensor::filled({1}, value), Gradient::Required);
}

Variable times(const Context& ctx, const Variable& x, float factor) {
  return record(ctx, "times", Tensor::filled({1}, x.value().data()[0] * factor), {x},
                [factor](const Tensor& dy) -> std::vector<Tensor> {
                  return {Tensor::filled({1}, dy.data()[0] * factor)};
                });
}

TEST_F(AutogradTest, ADiamondAddsUpBothPaths) {
  const Variable x = leaf(2.0F);
  const Variable y = times(ctx_, x, 3.0F);
  const Variable z = add(ctx_, times(ctx_, y, 5.0F), add(ctx_, y, x));  // 15 x + 3 x + x
  backward(ctx_, z);
  EXPECT_EQ(x.grad().data()[0], 19.0F);
  EXPECT_FALSE(y.has_grad()) << "only leaves keep a gradient";
}

TEST_F(AutogradTest, GradientsOfSeveralPassesAddUpUntilCleared) {
  Variable x = leaf(1.0F);
  backward(ctx_, times(ctx_, x, 2.0F));
  backward(ctx_, times(ctx_, x, 3.0F));
  EXPECT_EQ(x.grad().data()[0], 5.0F);
  x.clear_grad();
  EXPECT_FALSE(x.has_grad());
  EXPECT_THROW(static_cast<void>(x.grad()), std::logic_error);
}

TEST_F(AutogradTest, SharedGradientsAreNotOverwritten) {
  // add() hands the same tensor to both sides; the second contribution to x must not change y's gradient.
  const Variable x = leaf(1.0F), y = leaf(1.0F);
  backward(ctx_, add(ctx_, add(ctx_, x, y), x));
  EXPECT_EQ(x.grad().data()[0], 2.0F);
  EXPECT_EQ(y.grad().data()[0], 1.0F);
}

TEST_F(AutogradTest, NothingIsRecordedWithoutNeed) {
  const Variable constant(Tensor::filled({1}, 1.0F));
  EXPECT_FALSE(times(ctx_, constant, 2.0F).requires_grad());
  Context off = ctx_;
  off.grad = GradMode::Off;
  EXPECT_FALSE(times(off, leaf(1.0F), 2.0F).requires_grad());
  EXPECT_THROW(backward(ctx_, constant), std::logic_error);
}

TEST_F(AutogradTest, TheGraphIsFreedByBackward) {
  auto saved = std::make_shared<int>(1);
  const std::weak_ptr<int> watch = saved;
  const Variable x = leaf(1.0F);
  const Variable y = record(ctx_, "holder", Tensor::filled({1}, 1.0F), {x},
                            [saved](const Tensor& dy) -> std::vector<Tensor> { return {dy}; });
  saved.reset();
  EXPECT_FALSE(watch.expired());
  backward(ctx_, y);
  EXPECT_TRUE(watch.expired());
  EXPECT_THROW(backward(ctx_, y), std::logic_error) << "a graph is walked once";
}

TEST_F(AutogradTest, AWrongGradientShapeNamesTheNodeAndBothShapes) {
  const Variable x(Tensor::zeros({2, 3}), Gradient::Required);
  const Variable y =
      record(ctx_, "broken", Tensor::zeros({1}), {x}, [](const Tensor&) -> std::vector<Tensor> {
        return {Tensor::zeros({3, 2})};
      });
  try {
    backward(ctx_, y);
    FAIL() << "did not throw";
  } catch (const std::invalid_argument& e) {
    const std::string message = e.what();
    EXPECT_NE(message.find("broken"), std::string::npos) << message;
    EXPECT_NE(message.find("[3, 2]"), std::string::npos) << message;
    EXPECT_NE(message.find("[2, 3]"), std::string::npos) << message;
  }
  EXPECT_THROW(backward(ctx_, Variable(Tensor::zeros({2}), Gradient::Required)), std::invalid_argument);
}

TEST_F(AutogradTest, ADeepGraphNeedsNoRecursion) {
  const Variable x = leaf(1.0F);
  Variable y = x;
  for (int i = 0; i < 20000; ++i) y = times(ctx_, y, 1.0F);
  backward(ctx_, y);
  EXPECT_EQ(x.grad().data()[0], 1.0F);
}

TEST_F(AutogradTest, ProfileCountsBothDirections) {
  OpProfile profile;
  Context ctx = ctx_;
  ctx.profile = &profile;
  backward(ctx, add(ctx, leaf(1.0F), leaf(2.0F)));
  EXPECT_EQ(profile.entries().at("add").forward_calls, 1U);
  EXPECT_EQ(profile.entries().at("add").backward_calls, 1U);
  EXPECT_NE(profile.str().find("add"), std::string::npos);
}

TEST_F(AutogradTest, GradcheckFindsAWrongGradientAndSaysWhere) {
  const auto wrong_at_two = [&](const std::vector<Variable>& in) {
    return record(ctx_, "wrong", in[0].value().clone(), {in[0]}, [](const Tensor& dy) -> std::vector<Tensor> {
      Tensor dx = dy.clone();
      dx.mutable_data()[2] *= 1.01F;
      return {dx};
    });
  };
  const auto identity = [](const std::vector<DoubleValues>& in) { return in[0]; };
  const std::vector<Variable> inputs{Variable(random_tensor({5}, 3), Gradient::Required)};
  const GradcheckReport report = gradcheck(ctx_, wrong_at_two, identity, inputs);
  EXPECT_FALSE(report.ok);
  EXPECT_EQ(report.index, 2U);
  EXPECT_NEAR(report.analytic / report.numeric, 1.01, 1e-3);
  EXPECT_NE(report.str().find("element 2"), std::string::npos) << report.str();
}

}  // namespace
}  // namespace bitplane::train
