// SPDX-License-Identifier: Apache-2.0
//
// The baselines against tests/golden/baselines.json.
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace bitplane::train::testing
