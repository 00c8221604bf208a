// SPDX-License-Identifier: Apache-2.0
//
// A whole small net, layer by layer, against tests/golden/net.json: each layer gets the golden output of the
// one in front. Codes are equal; reals are within the file's float32 tolerance.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "golden_support.h"
#include "trainer/ops/batch_norm.h"
#include "trainer/ops/conv2d.h"
#include "trainer/ops/elementwise.h"
#include "trainer/ops/pooling.h"
#include "trainer/ops/quantize.h"
#include "trainer/tensor/row_loops.h"

namespace bitplane::train::testing {
namespace {

constexpr double kNetTolerance = 2e-4;

void expect_near_golden(const Variable& got, const Json& expected, const std::string& what) {
  ASSERT_EQ(got.shape(), shape_of(expected)) << what;
  expect_close(got.value().values(), doubles(expected), kNetTolerance, what);
}

/// The stored test is x > t; a quantizer that compares with >= stores the next smaller float.
ThresholdTable golden_table(const Json& quantizer) {
  ThresholdTable table;
  table.bits = quantizer.at("bits");
  const bool strict = quantizer.at("comparison").get<std::string>() == ">";
  for (const double t : doubles(quantizer.at("thresholds"))) {
    const auto threshold = static_cast<float>(t);
    table.thresholds.push_back(strict ? threshold
                                      : std::nextafter(threshold, -std::numeric_limits<float>::infinity()));
  }
  table.levels = quantizer.at("value_of_rank").at("data").get<std::vector<float>>();
  table.code_of_rank = quantizer.at("code_of_rank").at("data").get<std::vector<std::uint8_t>>();
  return table;
}

class NetGoldenTest : public ::testing::Test {
 protected:
  Variable normalized(const Variable& x, const Json& bn) {
    Tensor mean = tensor(bn.at("mean")), var = tensor(bn.at("var"));
    return batch_norm(ctx_, x,
                      {Variable(tensor(bn.at("gamma"))), Variable(tensor(bn.at("beta"))), &mean, &var});
  }
  Variable convolved(const Variable& x, const Json& weights, std::size_t stride) {
    return conv2d(ctx_, x, Variable(tensor(weights)), {},
                  {.stride_h = stride, .stride_w = stride, .pad_h = 1, .pad_w = 1});
  }
  Backend backend_{{.threads = 2}};
  Context ctx_{.backend = backend_, .mode = Mode::Eval, .grad = GradMode::Off};
};

TEST_F(NetGoldenTest, EveryLayer) {
  for (const Json& c : golden::cases("net", "net")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    Variable x = convolved(Variable(tensor(c.at("image"))), c.at("conv1_weights"), 1);
    expect_near_golden(x, c.at("conv1_out"), "conv1");
    for (const Json& layer : c.at("layers")) {
      x = normalized(x, layer.at("bn_before"));
      expect_near_golden(x, layer.at("bn_out"), "bn");
      x = relu(ctx_, x);
      expect_near_golden(x, layer.at("relu_out"), "relu");
      const ThresholdTable table = golden_table(layer.at("activation_quantizer"));
      EXPECT_EQ(quantize_codes(x.value(), table),
                layer.at("codes").at("data").get<std::vector<std::uint8_t>>());
      Tensor levels(x.shape());
      map_rows(backend_, {.table = &table}, x.value(), levels);
      expect_close(levels.values(), doubles(layer.at("values")), kNetTolerance, "values");
      x = convolved(Variable(levels), layer.at("weight_values"), layer.at("stride"));
      expect_near_golden(x, layer.at("conv_out"), "conv");
    }
    x = relu(ctx_, normalized(x, c.at("bn_last")));
    expect_near_golden(x, c.at("relu_last_out"), "last relu");
    x = global_average_pool(ctx_, x);
    expect_near_golden(x, c.at("gap"), "gap");
    x = linear(ctx_, x, Variable(tensor(c.at("fc_weights"))), Variable(tensor(c.at("fc_bias"))));
    expect_near_golden(x, c.at("logits"), "logits");
  }
}

}  // namespace
}  // namespace bitplane::train::testing
