// SPDX-License-Identifier: Apache-2.0
//
// QIL against tests/golden/qil_weights.json and qil_activations.json, and its properties.
#include "trainer/quantizers/qil.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "golden_support.h"
#include "trainer/ops/quantize.h"
#include "trainer/quantizers/list.h"
#include "trainer_support.h"

namespace bitplane::train::testing {
namespace {

class QilGoldenTest : public ::testing::Test {
 protected:
  static void set_interval(Quantizer& quantizer, const Json& c) {
    set_state(quantizer, "centre", c.at("c"));
    set_state(quantizer, "half_width", c.at("d"));
    // Small, so that the projection of the next forward leaves the interval as it is.
    set_state(quantizer, "start", 1e-6F);
  }
  static std::unique_ptr<WeightQuantizer> weights(const Json& c, const Shape& shape, std::string mode) {
    return find_quantizer("qil")->make_weights({.bits = c.at("bits"),
                                                .out_channels = shape[0],
                                                .filter_size = shape[1],
                                                .options = {{"weight_scale", std::move(mode)}}});
  }
  static Shape rows_of(const Json& x) {
    const Shape shape = shape_of(x);
    return shape.rank() == 1 ? Shape{1, shape[0]} : Shape{shape[0], shape.size() / shape[0]};
  }
  static void expect_gradients(const Quantizer& quantizer, const Json& c) {
    const std::vector<Variable> trained = quantizer.trained();
    expect_close<float>(trained[0].grad().values(), {c.at("grad_c")}, kFloatTolerance, "grad_c");
    expect_close<float>(trained[1].grad().values(), {c.at("grad_d")}, kFloatTolerance, "grad_d");
  }
  Backend backend_{{.threads = 2}};
  Context ctx_{backend_};
};

TEST_F(QilGoldenTest, Weights) {
  for (const Json& c : golden::cases("qil_weights", "qil_weights")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const Shape shape = rows_of(c.at("x"));
    const auto quantizer = weights(c, shape, c.at("mode"));
    set_interval(*quantizer, c);
    const Variable w(tensor(c.at("x")).reshaped(shape), Gradient::Required);
    const Variable y = quantize_weights(ctx_, w, *quantizer);
    expect_close(y.value(), c.at("values"), "values");
    const std::vector<double> codes = doubles(c.at("codes"));
    const WeightExport exported = quantizer->export_weights(w.value());
    const int modulus = 1 << c.at("bits").get<int>();
    for (std::size_t i = 0; i < codes.size(); ++i) {
      EXPECT_EQ(exported.codes[i], (static_cast<int>(codes[i]) + modulus) % modulus) << "code " << i;
    }
    backward(ctx_, y, tensor(c.at("upstream")).reshaped(shape));
    expect_close(w.grad(), c.at("grad_x"), "grad_x");
    expect_gradients(*quantizer, c);
  }
}

TEST_F(QilGoldenTest, Activations) {
  for (const Json& c : golden::cases("qil_activations", "qil_activations")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const Shape shape = rows_of(c.at("x"));
    const auto quantizer = find_quantizer("qil")->make_activations({.bits = c.at("bits")});
    set_interval(*quantizer, c);
    const Variable x(tensor(c.at("x")).reshaped(shape), Gradient::Required);
    const Variable y = quantize(ctx_, x, *quantizer);
    expect_close(y.value(), c.at("values"), "values");
    const std::vector<double> codes = doubles(c.at("codes"));
    const std::vector<std::uint8_t> found = quantize_codes(x.value(), quantizer->table());
    for (std::size_t i = 0; i < codes.size(); ++i) EXPECT_EQ(found[i], codes[i]) << "code " << i;
    backward(ctx_, y, tensor(c.at("upstream")).reshaped(shape));
    expect_close(x.grad(), c.at("grad_x"), "grad_x");
    expect_gradients(*quantizer, c);
  }
}

TEST_F(QilGoldenTest, TheProjectionKeepsZeroAtZero) {
  for (const Json& c : golden::cases("qil_weights", "project")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const QilInterval projected = qil_project({.c = c.at("c"), .d = c.at("d")}, c.at("q"), c.at("d_min"));
    EXPECT_NEAR(projected.c, c.at("c_projected").get<double>(), 1e-12);
    EXPECT_NEAR(projected.d, c.at("d_projected").get<double>(), 1e-12);
    const double q = c.at("q"), m = projected.c - projected.d + projected.d / q;
    EXPECT_NEAR(m, c.at("m_projected").get<double>(), 1e-12);
    // Of a quantizer with these intervals.
    const auto bits = static_cast<std::size_t>(std::bit_width(c.at("q").get<unsigned>()));
    const Json now{{"c", projected.c}, {"d", projected.d}, {"bits", bits + 1}};
    const auto w = weights(now, {1, 2}, "unit");
    set_interval(*w, now);
    const auto edge = static_cast<float>(m);
    const Tensor x = Tensor::from({1, 2}, std::vector<float>{0.0F, std::nextafter(edge, 0.0F)});
    EXPECT_EQ(w->export_weights(x).codes, (std::vector<std::uint16_t>{0, 0}));
    const auto a = find_quantizer("qil")->make_activations({.bits = bits});
    set_interval(*a, now);
    EXPECT_EQ(quantize_codes(x, a->table()), (std::vector<std::uint8_t>{0, 0}));
  }
}

/// What is all 0 has no interval: it is found when there is something to find it from.
TEST_F(QilGoldenTest, StartsWithTheFirstBatchThatIsNotZero) {
  const Tensor zeros = Tensor::zeros({4, 50}), x = random_tensor({4, 50}, 3);
  const auto later = [&](Quantizer& late, Quantizer& prompt) {
    for (std::size_t i = 0; i < 2; ++i)
      EXPECT_EQ(late.trained()[i].value().data()[0], prompt.trained()[i].value().data()[0]);
  };
  const WeightQuantizerOptions layer{.bits = 2, .out_channels = 4, .filter_size = 50};
  const auto late = find_quantizer("qil")->make_weights(layer),
             prompt = find_quantizer("qil")->make_weights(layer);
  const Tensor dead = late->forward(ctx_, zeros);
  for (const float v : dead.values()) EXPECT_EQ(v, 0.0F);
  static_cast<void>(late->forward(ctx_, x));
  static_cast<void>(prompt->forward(ctx_, x));
  later(*late, *prompt);
  const auto late_input = find_quantizer("qil")->make_activations({.bits = 2}),
             prompt_input = find_quantizer("qil")->make_activations({.bits = 2});
  const Tensor silent = quantize(ctx_, Variable(zeros), *late_input).value();
  for (const float v : silent.values()) EXPECT_EQ(v, 0.0F);
  static_cast<void>(quantize(ctx_, Variable(x), *late_input));
  static_cast<void>(quantize(ctx_, Variable(x), *prompt_input));
  later(*late_input, *prompt_input);
}

/// The levels' mean square is that of the first weights, and stays it whatever the weights become.
TEST_F(QilGoldenTest, AFixedScaleIsThatOfTheFirstWeights) {
  for (std::size_t bits = 2; bits <= 8; ++bits) {
    SCOPED_TRACE(bits);
    const auto make = [bits](const char* scale) {
      return find_quantizer("qil")->make_weights(
          {.bits = bits, .out_channels = 4, .filter_size = 50, .options = {{"weight_scale", scale}}});
    };
    const auto fixed = make("fixed"), unit = make("unit");
    const Tensor w = random_tensor({4, 50}, 3);
    const auto mean_square = [](const Tensor& t) {
      double sum = 0;
      for (const float v : t.values()) sum += static_cast<double>(v) * static_cast<double>(v);
      return sum / static_cast<double>(t.size());
    };
    const Tensor first = fixed->forward(ctx_, w);
    EXPECT_NEAR(mean_square(first), mean_square(w), 1e-5 * mean_square(w));
    const double scale = std::sqrt(mean_square(first) / mean_square(unit->forward(ctx_, w)));
    const Tensor other = random_tensor({4, 50}, 4);
    const Tensor y = fixed->forward(ctx_, other), u = unit->forward(ctx_, other);
    for (std::size_t i = 0; i < y.size(); ++i)
      EXPECT_NEAR(y.data()[i], scale * static_cast<double>(u.data()[i]), 1e-5);
  }
}

/// Intervals from a run with levels of another scale, as a procedure carries them over.
TEST_F(QilGoldenTest, AFixedScaleIsFoundForIntervalsThatWereThereBefore) {
  const auto make = [](const char* scale) {
    return find_quantizer("qil")->make_weights(
        {.bits = 2, .out_channels = 4, .filter_size = 50, .options = {{"weight_scale", scale}}});
  };
  const auto unit = make("unit"), fixed = make("fixed");
  const Tensor w = random_tensor({4, 50}, 3);
  const Tensor of_unit = unit->forward(ctx_, w);
  std::map<std::string, Tensor> state;
  unit->visit_state(
      "", {.parameter = [&](const std::string& name, Parameter& p) { state[name] = p.variable.value(); },
           .buffer = [&](const std::string& name, Tensor& t) { state[name] = t; }});
  const auto carry = [&](const std::string& name, Tensor& t) {
    if (state.contains(name)) t.mutable_data()[0] = state.at(name).data()[0];
  };
  fixed->visit_state("", {.parameter = [&](const std::string& name,
                                           Parameter& p) { carry(name, p.variable.mutable_value()); },
                          .buffer = carry});
  Context evaluation = ctx_;
  evaluation.mode = Mode::Eval;
  const Tensor converted = fixed->forward(evaluation, w);  // of a net that is not trained on
  const Tensor y = fixed->forward(ctx_, w);
  EXPECT_EQ(bits_of(converted), bits_of(y));
  double square = 0, levels = 0, units = 0;
  for (std::size_t i = 0; i < w.size(); ++i) {
    square += std::pow(static_cast<double>(w.data()[i]), 2);
    levels += std::pow(static_cast<double>(y.data()[i]), 2);
    units += std::pow(static_cast<double>(of_unit.data()[i]), 2);
    EXPECT_EQ(y.data()[i] == 0.0F, of_unit.data()[i] == 0.0F) << i;
  }
  EXPECT_NEAR(levels, square, 1e-5 * square);
  EXPECT_GT(std::fabs(units - square), 0.1 * square) << "else nothing was tested";
}

/// Their deviation is 0: in an interval of no width nothing would ever move them.
TEST_F(QilGoldenTest, WeightsThatAreAllEqualHaveGradients) {
  for (std::size_t bits = 2; bits <= 8; ++bits) {
    SCOPED_TRACE(bits);
    const auto quantizer =
        find_quantizer("qil")->make_weights({.bits = bits, .out_channels = 4, .filter_size = 50});
    const Variable w(Tensor::filled({4, 50}, -0.05F), Gradient::Required);
    const Variable y = quantize_weights(ctx_, w, *quantizer);
    backward(ctx_, y, Tensor::filled({4, 50}, 1.0F));
    EXPECT_GT(w.grad().data()[0], 0.0F);
    EXPECT_NE(quantizer->trained()[0].grad().data()[0], 0.0F);
  }
}

TEST_F(QilGoldenTest, StartsAtTheGaussianInterval) {
  for (const Json& c : golden::cases("qil_weights", "init_weights")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const Shape shape = rows_of(c.at("x"));
    const auto quantizer = weights(c, shape, "unit");
    static_cast<void>(quantizer->forward(ctx_, tensor(c.at("x")).reshaped(shape)));
    expect_close<float>(quantizer->trained()[0].value().values(), {c.at("c")}, kFloatTolerance, "c");
    expect_close<float>(quantizer->trained()[1].value().values(), {c.at("d")}, kFloatTolerance, "d");
  }
  for (const Json& c : golden::cases("qil_weights", "init_activations")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const auto quantizer = find_quantizer("qil")->make_activations({.bits = c.at("bits")});
    static_cast<void>(quantize(ctx_, Variable(tensor(c.at("x")).reshaped(rows_of(c.at("x")))), *quantizer));
    expect_close<float>(quantizer->trained()[0].value().values(), {c.at("c")}, kFloatTolerance, "c");
    expect_close<float>(quantizer->trained()[1].value().values(), {c.at("d")}, kFloatTolerance, "d");
  }
}

TEST_F(QilGoldenTest, WeightsAreOddAndZeroStaysZero) {
  const Tensor w = random_tensor({4, 50}, 3);
  Tensor mirrored = w.clone();
  for (float& v : mirrored.mutable_values()) v = -v;
  for (std::size_t bits = 2; bits <= 8; ++bits) {
    SCOPED_TRACE(bits);
    const auto quantizer =
        find_quantizer("qil")->make_weights({.bits = bits, .out_channels = 4, .filter_size = 50});
    const Tensor y = quantizer->forward(ctx_, w), m = quantizer->forward(ctx_, mirrored);
    for (std::size_t i = 0; i < y.size(); ++i) ASSERT_EQ(y.data()[i], -m.data()[i]);
    const Tensor zero = quantizer->forward(ctx_, Tensor::zeros({4, 50}));
    for (const float v : zero.values()) ASSERT_EQ(v, 0.0F);
  }
}

TEST_F(QilGoldenTest, TellsItsBoundsAndPruning) {
  const auto quantizer =
      find_quantizer("qil")->make_weights({.bits = 3, .out_channels = 4, .filter_size = 50});
  const Tensor y = quantizer->forward(ctx_, random_tensor({4, 50}, 3));
  const std::vector<Reading> readings = quantizer->readings();
  ASSERT_EQ(readings.size(), 3U);
  EXPECT_LT(readings[0].value, readings[1].value);
  const auto zeros = std::count(y.values().begin(), y.values().end(), 0.0F);
  EXPECT_EQ(readings[2], (Reading{"pruned", static_cast<double>(zeros) / 200.0}));
}

TEST_F(QilGoldenTest, TellsThePruningOfActivations) {
  const auto quantizer = find_quantizer("qil")->make_activations({.bits = 2});
  const Tensor y = quantize(ctx_, Variable(random_tensor({8, 50}, 3)), *quantizer).value();
  const auto zeros = static_cast<double>(std::count(y.values().begin(), y.values().end(), 0.0F));
  const std::vector<Reading> readings = quantizer->readings();
  ASSERT_EQ(readings.size(), 3U);
  EXPECT_EQ(readings[2], (Reading{"pruned", zeros / 400.0}));
  EXPECT_NE(zeros, 200.0) << "else the share of the others passes, too";
}

TEST_F(QilGoldenTest, BoundsThatAreLoggedAreTheFirstAndTheLastThreshold) {
  const auto expect_bounds = [](Quantizer& quantizer, const Json& c, double prune, double clip) {
    set_interval(quantizer, c);
    const std::vector<Reading> readings = quantizer.readings();
    ASSERT_GE(readings.size(), 2U);
    EXPECT_EQ(readings[0].name, "prune_point");
    EXPECT_NEAR(readings[0].value, prune, 1e-6);
    EXPECT_EQ(readings[1].name, "clip_point");
    EXPECT_NEAR(readings[1].value, clip, 1e-6);
  };
  const Json of_weights{{"c", 0.5}, {"d", 0.3}, {"bits", 3}}, of_activations{{"c", 1.0}, {"d", 0.8}};
  expect_bounds(*weights(of_weights, {1, 4}, "M"), of_weights, 0.3, 0.7);
  expect_bounds(*find_quantizer("qil")->make_activations({.bits = 2}), of_activations, 7.0 / 15, 23.0 / 15);
}

}  // namespace
}  // namespace bitplane::train::testing
