// SPDX-License-Identifier: Apache-2.0
//
// Operations against the golden vectors of tests/golden/nn.json, float32 tolerance.
#include <gtest/gtest.h>

#include "golden_support.h"
#include "trainer/ops/batch_norm.h"
#include "trainer/ops/conv2d.h"
#include "trainer/ops/loss.h"
#include "trainer/ops/pooling.h"

namespace bitplane::train::testing {
namespace {

class OpsGoldenTest : public ::testing::Test {
 protected:
  Variable parameter(const Json& array) { return Variable(tensor(array), Gradient::Required); }
  Backend backend_{{.threads = 2}};
  Context ctx_{backend_};
};

TEST_F(OpsGoldenTest, BatchNorm) {
  for (const Json& c : golden::cases("nn", "bn")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    for (const Mode mode : {Mode::Train, Mode::Eval}) {
      const std::string suffix = mode == Mode::Eval ? "_eval" : "";
      Context ctx = ctx_;
      ctx.mode = mode;
      Tensor mean = tensor(c.at("running_mean")), var = tensor(c.at("running_var"));
      const Variable x = parameter(c.at("x")), gamma = parameter(c.at("gamma")),
                     beta = parameter(c.at("beta"));
      const Variable y = batch_norm(ctx, x, {gamma, beta, &mean, &var});
      expect_close(y.value(), c.at("y" + suffix), "y" + suffix);
      backward(ctx, y, tensor(c.at("upstream")));
      expect_close(x.grad(), c.at("grad_x" + suffix), "grad_x" + suffix);
      expect_close(gamma.grad(), c.at("grad_gamma" + suffix), "grad_gamma" + suffix);
      expect_close(beta.grad(), c.at("grad_beta" + suffix), "grad_beta" + suffix);
      expect_close(mean, c.at(mode == Mode::Train ? "new_running_mean" : "running_mean"), "running_mean");
      expect_close(var, c.at(mode == Mode::Train ? "new_running_var_unbiased" : "running_var"),
                   "running_var");
    }
  }
}

TEST_F(OpsGoldenTest, CrossEntropy) {
  for (const Json& c : golden::cases("nn", "cross_entropy")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const Variable logits = parameter(c.at("logits"));
    const Variable loss = softmax_cross_entropy(ctx_, logits, labels(c.at("labels")));
    expect_close(loss.value().values(), {c.at("loss").get<double>()}, kFloatTolerance, "loss");
    backward(ctx_, loss);
    expect_close(logits.grad(), c.at("grad_logits"), "grad_logits");
  }
}

TEST_F(OpsGoldenTest, Distillation) {
  for (const Json& c : golden::cases("nn", "distillation")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const Variable logits = parameter(c.at("logits"));
    const Tensor teacher = tensor(c.at("teacher_logits"));
    const Variable loss = distillation_loss(ctx_, logits, labels(c.at("labels")),
                                            {.teacher = teacher, .lambda = c.at("lam").get<double>()});
    expect_close(loss.value().values(), {c.at("loss").get<double>()}, kFloatTolerance, "loss");
    backward(ctx_, loss);
    expect_close(logits.grad(), c.at("grad_logits"), "grad_logits");
  }
}

/// Codes are small whole numbers: float32 holds every accumulator exactly.
TEST_F(OpsGoldenTest, IntegerConvolution) {
  for (const Json& c : golden::cases("conv", "conv")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const std::size_t stride = c.at("stride"), pad = c.at("pad"), dilation = c.at("dilation");
    const Tensor y = conv2d_forward(backend_, tensor(c.at("x")), tensor(c.at("w")),
                                    {.stride_h = stride,
                                     .stride_w = stride,
                                     .pad_h = pad,
                                     .pad_w = pad,
                                     .dilation_h = dilation,
                                     .dilation_w = dilation,
                                     .groups = c.at("groups")});
    ASSERT_EQ(y.shape(), shape_of(c.at("accumulators")));
    EXPECT_EQ(std::vector<double>(y.values().begin(), y.values().end()), doubles(c.at("accumulators")));
  }
}

PoolOptions pool_options(const Json& c) {
  return {
      .kernel = c.at("kernel"),
      .stride = c.at("stride"),
      .pad = c.at("pad"),
      .rounding = c.at("ceil_mode").get<bool>() ? engine::PoolRounding::Ceil : engine::PoolRounding::Floor};
}

TEST_F(OpsGoldenTest, MaxPool) {
  for (const Json& c : golden::cases("nn", "max_pool")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const Variable x = parameter(c.at("x"));
    const Variable y = max_pool(ctx_, x, pool_options(c));
    ASSERT_EQ(y.shape(), shape_of(c.at("y")));
    expect_close(y.value(), c.at("y"), "y");
    backward(ctx_, y, tensor(c.at("upstream")));
    expect_close(x.grad(), c.at("grad_x"), "grad_x");
  }
}

TEST_F(OpsGoldenTest, AveragePool) {
  for (const Json& c : golden::cases("nn", "avg_pool")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const Variable x = parameter(c.at("x"));
    const Variable y = average_pool(ctx_, x, pool_options(c));
    ASSERT_EQ(y.shape(), shape_of(c.at("y")));
    expect_close(y.value(), c.at("y"), "y");
    backward(ctx_, y, tensor(c.at("upstream")));
    expect_close(x.grad(), c.at("grad_x"), "grad_x");
  }
}

TEST_F(OpsGoldenTest, GlobalAveragePool) {
  for (const Json& c : golden::cases("nn", "global_average_pool")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const Variable x = parameter(c.at("x"));
    const Variable y = global_average_pool(ctx_, x);
    expect_close(y.value(), c.at("y"), "y");
    backward(ctx_, y, tensor(c.at("upstream")));
    expect_close(x.grad(), c.at("grad_x"), "grad_x");
  }
}

TEST_F(OpsGoldenTest, Convolution) {
  for (const Json& c : golden::cases("nn", "conv_grad")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const Variable x = parameter(c.at("x")), w = parameter(c.at("w")), bias = parameter(c.at("bias"));
    const std::size_t stride = c.at("stride"), pad = c.at("pad"), dilation = c.at("dilation");
    const Variable y = conv2d(ctx_, x, w, bias,
                              {.stride_h = stride,
                               .stride_w = stride,
                               .pad_h = pad,
                               .pad_w = pad,
                               .dilation_h = dilation,
                               .dilation_w = dilation,
                               .groups = c.at("groups")});
    expect_close(y.value(), c.at("y"), "y");
    backward(ctx_, y, tensor(c.at("upstream")));
    expect_close(x.grad(), c.at("grad_x"), "grad_x");
    expect_close(w.grad(), c.at("grad_w"), "grad_w");
    expect_close(bias.grad(), c.at("grad_bias"), "grad_bias");
  }
}

}  // namespace
}  // namespace bitplane::train::testing
