// SPDX-License-Identifier: Apache-2.0
//
// The baselines against tests/golden/baselines.json.
#include <gtest/gtest.h>

#include <functional>

#include "golden_support.h"
#include "trainer/ops/quantize.h"
#include "trainer/quantizers/list.h"

namespace bitplane::train::testing {
namespace {

class BaselinesGoldenTest : public ::testing::Test {
 protected:
  /// Runs `use` on each case of the kind.
  static void each(const char* kind, const std::function<void(const Json&)>& use) {
    for (const Json& c : golden::cases("baselines", kind)) {
      SCOPED_TRACE(c.at("name").get<std::string>());
      use(c);
    }
  }

  /// values and the gradient of x; returns the quantizer's trained gradients.
  void check_weights(const Json& c, WeightQuantizer& quantizer, const char* gradient) {
    const Tensor flat = tensor(c.at("x"));
    const std::size_t out = flat.shape().rank() == 1 ? 1 : flat.shape()[0];
    const Variable w(flat.reshaped({out, flat.size() / out}), Gradient::Required);
    const Variable y = quantize_weights(ctx_, w, quantizer);
    expect_close(y.value(), c.at("values"), "values");
    backward(ctx_, y, tensor(c.at("upstream")).reshaped(w.shape()));
    expect_close(w.grad(), c.at(gradient), gradient);
  }

  void check_activations(const Json& c, ActivationQuantizer& quantizer, const char* gradient) {
    const Tensor flat = tensor(c.at("x"));
    const Variable x(flat.reshaped({flat.size(), 1}), Gradient::Required);
    const Variable y = quantize(ctx_, x, quantizer);
    if (c.contains("values")) expect_close(y.value(), c.at("values"), "values");
    backward(ctx_, y, tensor(c.at("upstream")).reshaped(x.shape()));
    expect_close(x.grad(), c.at(gradient), gradient);
  }

  Backend backend_{{.threads = 2}};
  Context ctx_{backend_};
};

TEST_F(BaselinesGoldenTest, Dorefa) {
  const QuantizerInfo& info = *find_quantizer("dorefa");
  each("dorefa_weights", [&](const Json& c) {
    const auto quantizer =
        info.make_weights({.bits = c.at("bits"), .filter_size = doubles(c.at("x")).size()});
    check_weights(c, *quantizer, "grad_x");
  });
  each("dorefa_activations", [&](const Json& c) {
    check_activations(c, *info.make_activations({.bits = c.at("bits")}), "grad_x");
  });
}

TEST_F(BaselinesGoldenTest, BinaryWeights) {
  const QuantizerInfo& info = *find_quantizer("bwn");
  each("bwn", [&](const Json& c) {
    const Shape shape = shape_of(c.at("x"));
    for (const auto& [option, gradient] :
         {std::pair{"pass", "grad_x_pass"}, std::pair{"xnor", "grad_x_xnor"}}) {
      const auto quantizer = info.make_weights({.bits = 1,
                                                .out_channels = shape[0],
                                                .filter_size = shape[1],
                                                .options = {{"weight_gradient", option}}});
      check_weights(c, *quantizer, gradient);
    }
  });
}

TEST_F(BaselinesGoldenTest, SignsOfActivations) {
  const QuantizerInfo& info = *find_quantizer("sign");
  each("xnor_activations", [&](const Json& c) {
    const auto quantizer = info.make_activations({.bits = 1});
    check_activations(c, *quantizer, "grad_x");
    const std::vector<double> codes = doubles(c.at("codes"));
    const Tensor values = quantize(ctx_, Variable(tensor(c.at("x"))), *quantizer).value();
    for (std::size_t i = 0; i < codes.size(); ++i) {
      EXPECT_EQ(values.data()[i] > 0.0F, codes[i] > 0) << "code " << i;
    }
  });
}

TEST_F(BaselinesGoldenTest, Twn) {
  each("twn", [&](const Json& c) {
    const Shape shape = shape_of(c.at("x"));
    const auto quantizer =
        find_quantizer("twn")->make_weights({.bits = 2, .out_channels = shape[0], .filter_size = shape[1]});
    check_weights(c, *quantizer, "grad_x");
  });
}

TEST_F(BaselinesGoldenTest, Ttq) {
  each("ttq", [&](const Json& c) {
    const Shape shape = shape_of(c.at("x"));
    const auto quantizer =
        find_quantizer("ttq")->make_weights({.bits = 2, .out_channels = shape[0], .filter_size = shape[1]});
    set_state(*quantizer, "positive", c.at("w_p"));
    set_state(*quantizer, "negative", c.at("w_n"));
    set_state(*quantizer, "started", 1.0F);
    check_weights(c, *quantizer, "grad_x");
    const std::vector<Variable> trained = quantizer->trained();
    expect_close<float>(trained[0].grad().values(), {c.at("grad_w_p")}, kFloatTolerance, "grad_w_p");
    expect_close<float>(trained[1].grad().values(), {c.at("grad_w_n")}, kFloatTolerance, "grad_w_n");
  });
}

TEST_F(BaselinesGoldenTest, Hwgq) {
  each("hwgq", [&](const Json& c) {
    for (const auto& [tail, gradient] :
         {std::pair{"clipped", "grad_x_clipped"}, std::pair{"vanilla", "grad_x_vanilla"},
          std::pair{"log-tailed", "grad_x_log_tailed"}}) {
      const auto quantizer =
          find_quantizer("hwgq")->make_activations({.bits = c.at("bits"), .options = {{"tail", tail}}});
      check_activations(c, *quantizer, gradient);
    }
  });
}

TEST_F(BaselinesGoldenTest, Pact) {
  each("pact", [&](const Json& c) {
    const auto quantizer = find_quantizer("pact")->make_activations(
        {.bits = c.at("bits"), .options = {{"clip_start", c.at("alpha").get<double>()}}});
    check_activations(c, *quantizer, "grad_x");
    expect_close<float>(quantizer->trained()[0].grad().values(), {c.at("grad_alpha")}, kFloatTolerance,
                        "grad_alpha");
  });
}

}  // namespace
}  // namespace bitplane::train::testing
