// SPDX-License-Identifier: Apache-2.0
//
// Small cases worked out by hand from the definitions: LSQ, ABC-Net, the signs of weights, PACT's clip point.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "golden_support.h"
#include "trainer/nn/layers.h"
#include "trainer/ops/quantize.h"
#include "trainer/optim/optimizer.h"
#include "trainer/quantizers/list.h"

namespace bitplane::train::testing {
namespace {

using Values = std::vector<float>;

class HandValues : public ::testing::Test {
 protected:
  /// [rows][values / rows]
  static Variable matrix(std::size_t rows, const Values& values) {
    return Variable(Tensor::from({rows, values.size() / rows}, values), Gradient::Required);
  }
  static std::unique_ptr<WeightQuantizer> weights(const char* name, std::size_t bits, std::size_t rows,
                                                  std::size_t columns) {
    return find_quantizer(name)->make_weights({.bits = bits, .out_channels = rows, .filter_size = columns});
  }
  static std::unique_ptr<ActivationQuantizer> activations(const char* name, std::size_t bits,
                                                          const OptionValues& options = {}) {
    return find_quantizer(name)->make_activations({.bits = bits, .options = options});
  }
  static void expect_values(const Tensor& got, const std::vector<double>& wanted) {
    expect_close(got.values(), wanted, 1e-6, "values");
  }
  /// The levels of x, and its gradient where each level's is 1.
  void expect_mapped(const Variable& x, ActivationQuantizer& quantizer, const std::vector<double>& levels,
                     const std::vector<double>& slopes) {
    const Variable y = quantize(ctx_, x, quantizer);
    expect_values(y.value(), levels);
    backward(ctx_, y, Tensor::filled(x.shape(), 1.0F));
    expect_values(x.grad(), slopes);
  }
  /// `quantizer`'s own number.
  static double state(Quantizer& quantizer, const std::string& name) {
    return static_cast<double>(state_of(quantizer, name).data()[0]);
  }
  static void set_step(Quantizer& lsq, float step) {
    set_state(lsq, "step", step);
    set_state(lsq, "started", 1.0F);
  }

  Backend backend_{{.threads = 2}};
  Context ctx_{backend_};
};

/// 3 bits: codes -4 to 3; w / s = 0.4, 0.5, -0.5, 1.48, -1.6, 3, 3.2, -4, -6, 0.
TEST_F(HandValues, LsqWeights) {
  const auto lsq = weights("lsq", 3, 2, 5);
  set_step(*lsq, 0.5F);
  const Variable w = matrix(2, {0.2F, 0.25F, -0.25F, 0.74F, -0.8F, 1.5F, 1.6F, -2.0F, -3.0F, 0.0F});
  const Variable y = quantize_weights(ctx_, w, *lsq);
  expect_values(y.value(), {0, 0.5, -0.5, 0.5, -1, 1.5, 1.5, -2, -2, 0});
  EXPECT_EQ(lsq->export_weights(w.value()).codes, (std::vector<std::uint16_t>{0, 1, 7, 1, 6, 3, 3, 4, 4, 0}));
  backward(ctx_, y, Tensor::from({2, 5}, Values{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
  expect_values(w.grad(), {1, 2, 3, 4, 5, 0, 0, 0, 0, 10});  // the ends themselves are outside
  // -0.4 + 2 * 0.5 - 3 * 0.5 - 4 * 0.48 - 5 * 0.4 + 6 * 3 + 7 * 3 - 8 * 4 - 9 * 4, times 1 / sqrt(10 * 3)
  EXPECT_NEAR(lsq->trained()[0].grad().data()[0], -33.82 / std::sqrt(30.0), 1e-5);
}

/// 2 bits: codes 0 to 3; x / s = 0, 0.4, 0.8, 2, 3.2, 0.2. Three features a sample.
TEST_F(HandValues, LsqActivations) {
  const auto lsq = activations("lsq", 2);
  set_step(*lsq, 0.5F);
  const Variable x = matrix(2, {0.0F, 0.2F, 0.4F, 1.0F, 1.6F, 0.1F});
  const Variable y = quantize(ctx_, x, *lsq);
  expect_values(y.value(), {0, 0, 0.5, 1, 1.5, 0});
  backward(ctx_, y, Tensor::from({2, 3}, Values{1, 2, 3, 4, 5, 6}));
  expect_values(x.grad(), {0, 2, 3, 4, 0, 6});
  // -2 * 0.4 + 3 * 0.2 + 5 * 3 - 6 * 0.2, times 1 / sqrt(3 * 3)
  EXPECT_NEAR(lsq->trained()[0].grad().data()[0], 13.6 / 3.0, 1e-5);
}

TEST_F(HandValues, LsqStartsAtTwoMeansOverTheRootOfTheLargestCode) {
  const Variable w = matrix(2, {0.1F, -0.2F, 0.3F, -0.4F, 0.5F, -0.3F});  // mean 0.3
  const auto two = weights("lsq", 2, 2, 3), three = weights("lsq", 3, 2, 3);
  static_cast<void>(quantize_weights(ctx_, w, *two));
  static_cast<void>(quantize_weights(ctx_, w, *three));
  EXPECT_NEAR(state(*two, "step"), 0.6, 1e-6);
  EXPECT_NEAR(state(*three, "step"), 0.6 / std::sqrt(3.0), 1e-6);
  const auto of_batch = activations("lsq", 2);
  static_cast<void>(quantize(ctx_, matrix(2, {0.0F, 0.2F, 0.4F, 1.0F, 1.6F, 0.1F}), *of_batch));  // mean 0.55
  EXPECT_NEAR(state(*of_batch, "step"), 1.1 / std::sqrt(3.0), 1e-6);
  const auto zeros = weights("lsq", 2, 2, 3);
  expect_values(quantize_weights(ctx_, matrix(2, Values(6, 0.0F)), *zeros).value(), {0, 0, 0, 0, 0, 0});
  EXPECT_EQ(state(*zeros, "step"), static_cast<double>(1e-6F));
}

TEST_F(HandValues, LsqStepsHaveAFloor) {
  const auto of_weights = weights("lsq", 2, 1, 2);
  const auto of_activations = activations("lsq", 2);
  for (const float step : {-5.0F, 0.0F, 5e-7F}) {
    set_step(*of_weights, step);
    set_step(*of_activations, step);
    Tensor w = Tensor::zeros({1, 2});
    of_weights->constrain(w);
    of_activations->constrain();
    EXPECT_EQ(state(*of_weights, "step"), static_cast<double>(1e-6F));
    EXPECT_EQ(state(*of_activations, "step"), static_cast<double>(1e-6F));
  }
  set_step(*of_activations, 0.25F);
  of_activations->constrain();
  EXPECT_EQ(state(*of_activations, "step"), 0.25);
}

/// One row a case: what quantize_weights() gives, and the slope of all weights, the sum of the shares.
struct AbcCase {
  std::size_t bits;
  Values w;
  std::vector<double> values;
  std::vector<std::uint16_t> codes;
  double slope;
};

TEST_F(HandValues, AbcNetWeights) {
  const AbcCase cases[] = {
      // mean 3, B = - - - +, a = (-0 - 1 - 2 + 9) / 4
      {1, {0, 1, 2, 9}, {-1.5, -1.5, -1.5, 1.5}, {0, 0, 0, 1}, 1.5},
      // mean 3: two weights have sign(0) = +1; a = (-1 + 3 + 5 + 3) / 4
      {1, {1, 3, 5, 3}, {-2.5, 2.5, 2.5, 2.5}, {0, 1, 1, 1}, 2.5},
      // mean 0, deviation sqrt(5); B1 = - - - +, B2 = - + + +, orthogonal: a = (6 / 4, 6 / 4)
      {2, {-3, -1, 1, 3}, {-3, 0, 0, 3}, {0, 2, 2, 3}, 3},
      // mean 3, deviation 3.54; B1 = - - - +, B2 = + + + +: 4 a1 - 2 a2 = 6, -2 a1 + 4 a2 = 12
      {2, {0, 1, 2, 9}, {1, 1, 1, 9}, {2, 2, 2, 3}, 9},
      // u = -1, 0, 1; B2 = - - + +: 4 a1 + 2 a2 = 6, 2 a1 + 4 a2 + 2 a3 = 8, 2 a2 + 4 a3 = 6
      {3, {-3, -1, 1, 3}, {-3, -1, 1, 3}, {0, 4, 6, 7}, 3}};
  for (const AbcCase& c : cases) {
    SCOPED_TRACE(std::to_string(c.bits) + " bits");
    const auto abc = weights("abc-net", c.bits, 2, 2);  // shares are the layer's, of both filters
    const Variable w = matrix(2, c.w);
    const Variable y = quantize_weights(ctx_, w, *abc);
    expect_values(y.value(), c.values);
    EXPECT_EQ(abc->export_weights(w.value()).codes, c.codes);
    backward(ctx_, y, Tensor::from({2, 2}, Values{1, 2, 3, 4}));
    expect_values(w.grad(), {c.slope, 2 * c.slope, 3 * c.slope, 4 * c.slope});
  }
}

/// Equal weights are their mean, so that B = sign(u std): +1 for u <= 0 too, as std is 0.
TEST_F(HandValues, AbcNetWeightsThatAreAllEqual) {
  constexpr float kWeight = 0.1F;
  for (const std::size_t size : {1U, 3U, 10U, 18U, 1000U, 1152U}) {
    for (const std::size_t bits : {1U, 2U, 3U, 5U}) {
      SCOPED_TRACE(std::to_string(size) + " weights, " + std::to_string(bits) + " bits");
      const auto abc = weights("abc-net", bits, 1, size);
      const Variable w = matrix(1, Values(size, kWeight));
      const Variable y = quantize_weights(ctx_, w, *abc);
      const auto all = static_cast<std::uint16_t>((1U << bits) - 1U);
      EXPECT_EQ(abc->export_weights(w.value()).codes, std::vector<std::uint16_t>(size, all));
      backward(ctx_, y, Tensor::from({1, size}, Values(size, 1.0F)));
      EXPECT_NEAR(y.value().data()[0], kWeight, 1e-6);
      EXPECT_NEAR(w.grad().data()[0], kWeight, 1e-6);  // the shares' sum
    }
  }
}

/// 2 bits start with thresholds -1/3 and 1/3 (v = 5/6 and 1/6) and shares of 1/2.
TEST_F(HandValues, AbcNetActivations) {
  const auto abc = activations("abc-net", 2);
  const Variable x = matrix(1, {-0.5F, -0.34F, -0.33F, -0.1F, 0.33F, 0.34F, 1.0F});
  const Variable y = quantize(ctx_, x, *abc);
  expect_values(y.value(), {-1, -1, 0, 0, 0, 1, 1});
  backward(ctx_, y, Tensor::from({1, 7}, Values{1, 2, 3, 4, 5, 6, 7}));
  // x + v lies in (0, 1) for the first four with the first v, for those from -0.1 to 0.34 with the second
  expect_values(x.grad(), {0.5, 1, 1.5, 4, 2.5, 3, 0});
  expect_values(abc->trained()[0].grad(), {-1 - 2 + 3 + 4 + 5 + 6 + 7, -1 - 2 - 3 - 4 - 5 + 6 + 7});
  expect_values(abc->trained()[1].grad(), {0.5 * (1 + 2 + 3 + 4), 0.5 * (4 + 5 + 6)});
}

/// BinaryConnect's and BNN's.
TEST_F(HandValues, SignsOfWeights) {
  const auto sign = weights("sign", 1, 2, 3);
  const Variable w = matrix(2, {0.0F, -0.0F, 0.3F, -0.2F, -1.5F, 2.0F});
  const Variable y = quantize_weights(ctx_, w, *sign);
  expect_values(y.value(), {1, 1, 1, -1, -1, 1});
  EXPECT_EQ(sign->export_weights(w.value()).codes, (std::vector<std::uint16_t>{1, 1, 1, 0, 0, 1}));
  backward(ctx_, y, Tensor::from({2, 3}, Values{1, 2, 3, 4, 5, 6}));
  expect_values(w.grad(), {1, 2, 3, 4, 5, 6});
  Tensor clipped = w.value().clone();
  sign->constrain(clipped);
  expect_values(clipped, {0, 0, 0.3, -0.2, -1, 1});
}

TEST_F(HandValues, DorefaTies) {
  const auto one = weights("dorefa", 1, 1, 4);  // sign(0) = +1, mean 0.2
  expect_values(quantize_weights(ctx_, matrix(1, {0.0F, -0.0F, 0.3F, -0.5F}), *one).value(),
                {0.2, 0.2, 0.2, -0.2});
  const auto two = weights("dorefa", 2, 1, 2);  // 0 lies in the middle between -1/3 and 1/3
  expect_values(quantize_weights(ctx_, matrix(1, {0.0F, 1.0F}), *two).value(), {1.0 / 3.0, 1});
  const float above = std::nextafter(1.0F, 2.0F);
  const Variable x = matrix(1, {-0.1F, 0.0F, std::nextafter(0.5F, 0.0F), 0.5F, 1.0F, above});
  expect_mapped(x, *activations("dorefa", 1), {0, 0, 0, 1, 1, 1}, {0, 1, 1, 1, 1, 0});
}

/// A tie takes the lower level; the slope is 1 up to the highest level.
TEST_F(HandValues, HwgqTies) {
  const float step = 0.538F, edge = static_cast<float>(1.5 * static_cast<double>(step)), top = 3.0F * step;
  const float smallest = std::numeric_limits<float>::denorm_min();
  const Variable x = matrix(
      1, {-smallest, 0.0F, smallest, edge, std::nextafter(edge, 1.0F), top, std::nextafter(top, 2.0F)});
  expect_mapped(x, *activations("hwgq", 2), {0, 0, 0.538, 0.538, 1.076, 1.614, 1.614}, {0, 0, 1, 1, 1, 1, 0});
}

/// Two positive levels that are not uniform: the third code is no value's.
TEST_F(HandValues, HwgqPair) {
  const auto pair =
      find_quantizer("hwgq")->make_activations({.bits = 2, .options = {{"levels", "non-uniform"}}});
  const float smallest = std::numeric_limits<float>::denorm_min(), edge = 0.5F * (0.453F + 1.51F);
  const Variable x = matrix(1, {-1.0F, 0.0F, smallest, edge, std::nextafter(edge, 2.0F), 1.51F,
                                std::nextafter(1.51F, 2.0F), std::numeric_limits<float>::max()});
  expect_mapped(x, *pair, {0, 0, 0.453, 0.453, 1.51, 1.51, 1.51, 1.51}, {0, 0, 1, 1, 1, 1, 0, 0});
  for (const std::size_t bits : {std::size_t{1}, std::size_t{3}}) {
    const auto make = [&] {
      return find_quantizer("hwgq")->make_activations({.bits = bits, .options = {{"levels", "non-uniform"}}});
    };
    EXPECT_THROW(make(), std::invalid_argument);
  }
}

/// t = 0.7 * 10, of which the floats are exact.
TEST_F(HandValues, TwnTies) {
  const auto twn = weights("twn", 2, 1, 4);
  expect_values(quantize_weights(ctx_, matrix(1, {7.0F, -7.0F, 9.0F, -17.0F}), *twn).value(),
                {0, 0, 13, -13});
}

/// t = 0.05 * 20, of which the floats are exact.
TEST_F(HandValues, TtqTies) {
  const auto ttq = weights("ttq", 2, 1, 4);
  const Variable w = matrix(1, {1.0F, -1.0F, std::nextafter(-1.0F, -2.0F), 20.0F});
  const Variable y = quantize_weights(ctx_, w, *ttq);
  expect_values(y.value(), {0, 0, -10.5, 10.5});
  backward(ctx_, y, Tensor::from({1, 4}, Values{1, 2, 3, 4}));
  expect_values(w.grad(), {1, 2, 3 * 10.5, 4 * 10.5});
}

/// sign(0) = +1; the slope is 1 on [-1, 1].
TEST_F(HandValues, SignsOfActivations) {
  const float above = std::nextafter(1.0F, 2.0F);
  const Variable x = matrix(1, {-above, -1.0F, -1e-30F, -0.0F, 0.0F, 1.0F, above});
  expect_mapped(x, *activations("sign", 1), {-1, -1, -1, 1, 1, 1, 1}, {0, 1, 1, 1, 1, 1, 0});
}

TEST_F(HandValues, PactsClipPointDecaysLikeAWeight) {
  Sequential net;
  auto& layer = net.emplace<Quantize>("quant", activations("pact", 2, {{"clip_start", 2}}));
  const auto sgd = make_sgd(named_parameters(net), {.momentum = 0.0, .weight_decay = 0.1});
  const Variable x = matrix(1, {0.5F, 2.0F, 3.0F, -1.0F});
  const Variable y = net.forward(ctx_, x);
  expect_values(y.value(), {2.0 / 3.0, 2, 2, 0});  // 0.5 is 0.75 steps of 2/3
  backward(ctx_, y, Tensor::from({1, 4}, Values{1, 2, 3, 4}));
  expect_values(x.grad(), {1, 0, 0, 0});
  expect_values(layer.quantizer().trained()[0].grad(), {2 + 3});
  sgd->step(backend_, 0.1);
  EXPECT_NEAR(layer.quantizer().trained()[0].value().data()[0], 2 - 0.1 * (5 + 0.1 * 2), 1e-6);
}

/// Infinities take the lowest and the highest level, but for levels whose codes are not all used
/// (docs/METHODS.md).
TEST_F(HandValues, InfinitiesSaturate) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  ctx_.mode = Mode::Eval;
  for (const QuantizerInfo* info : quantizers()) {
    for (std::size_t bits = info->activation_bits.min; bits <= info->activation_bits.max && bits > 0;
         ++bits) {
      if (info->name == "abc-net" && bits > 1) continue;  // its codes that never occur stand above all floats
      SCOPED_TRACE(std::string(info->name) + ", bits " + std::to_string(bits));
      const auto quantizer = info->make_activations({.bits = bits});
      const Tensor y = quantize(ctx_, matrix(1, {-kInfinity, -1e30F, 1e30F, kInfinity}), *quantizer).value();
      EXPECT_EQ(y.data()[0], y.data()[1]);
      EXPECT_EQ(y.data()[3], y.data()[2]);
      EXPECT_EQ(y.data()[0], quantizer->table().levels.front());
      EXPECT_EQ(y.data()[3], quantizer->table().levels.back());
      EXPECT_LT(y.data()[0], y.data()[3]);
    }
  }
}

}  // namespace
}  // namespace bitplane::train::testing
