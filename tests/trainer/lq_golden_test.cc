// SPDX-License-Identifier: Apache-2.0
//
// LQ-Nets against tests/golden/lq_weights.json and lq_activations.json.
#include <gtest/gtest.h>

#include "golden_support.h"
#include "trainer/ops/quantize.h"
#include "trainer/quantizers/lq_activations.h"
#include "trainer/quantizers/lq_basis.h"
#include "trainer/quantizers/lq_weights.h"

namespace bitplane::train::testing {
namespace {

constexpr double kSolveTolerance = 1e-7;

Tensor& basis_of(Quantizer& quantizer) {
  return state_of(quantizer, "basis");
}

void set_basis(Quantizer& quantizer, const Json& v) {
  Tensor& basis = basis_of(quantizer);
  ASSERT_EQ(basis.size(), doubles(v).size());
  basis.copy_from(tensor(v).reshaped(basis.shape()));
}

/// Steps of QEM in double on the codes of the float table: v_steps of the golden file, per filter.
void check_steps(kernels::Encoding encoding, const Json& c, const std::vector<float>& x) {
  const std::size_t filters = shape_of(c.at("v"))[0], bits = c.at("K"), alternations = c.at("T"),
                    m = x.size() / filters;
  std::vector<double> steps;
  for (std::size_t f = 0; f < filters; ++f) {
    const std::vector<double> v = doubles(c.at("v"));
    std::vector<double> now(v.begin() + static_cast<std::ptrdiff_t>(f * bits),
                            v.begin() + static_cast<std::ptrdiff_t>((f + 1) * bits));
    for (std::size_t t = 0; t < alternations; ++t) {
      const std::vector<float> basis(now.begin(), now.end());
      const ThresholdTable table = lq_table(encoding, basis);
      RankStatistics statistics{std::vector<std::uint64_t>(table.levels.size()),
                                std::vector<double>(table.levels.size())};
      for (std::size_t i = 0; i < m; ++i) {
        const std::size_t rank = rank_of(table.thresholds, x[f * m + i]);
        ++statistics.count[rank];
        statistics.sum[rank] += static_cast<double>(x[f * m + i]);
      }
      now = lq_solve(encoding, table, statistics, now);
      steps.insert(steps.end(), now.begin(), now.end());
    }
  }
  expect_close<double>(steps, doubles(c.at("v_steps")), kSolveTolerance, "v_steps");
}

/// The first table that the golden file's levels and thresholds belong to is that of the last alternation.
void check_table(const ThresholdTable& table, const Json& c, std::size_t filter) {
  const std::size_t levels = table.levels.size();
  const auto part = [&](const char* field, std::size_t count) {
    const std::vector<double> all = doubles(c.at(field));
    return std::vector<double>(all.begin() + static_cast<std::ptrdiff_t>(filter * count),
                               all.begin() + static_cast<std::ptrdiff_t>((filter + 1) * count));
  };
  expect_close<float>(table.levels, part("levels", levels), kFloatTolerance, "levels");
  expect_close<float>(table.thresholds, part("thresholds", levels - 1), kFloatTolerance, "thresholds");
  const std::vector<double> codes = part("level_codes", levels);
  for (std::size_t l = 0; l < levels; ++l) EXPECT_EQ(table.code_of_rank[l], codes[l]) << "code of rank " << l;
}

class LqGoldenTest : public ::testing::Test {
 protected:
  Backend backend_{{.threads = 2}};
  Context ctx_{backend_};
};

TEST_F(LqGoldenTest, Weights) {
  for (const Json& c : golden::cases("lq_weights", "lq_weights")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const Shape shape = shape_of(c.at("x"));
    LqWeights quantizer({.bits = c.at("K"),
                         .out_channels = shape[0],
                         .filter_size = shape[1],
                         .options = {{"alternations", c.at("T").get<int>()}}});
    set_basis(quantizer, c.at("v"));
    const Variable w(tensor(c.at("x")), Gradient::Required);
    if (c.at("T") == 1) {
      const WeightExport exported = quantizer.export_weights(w.value());  // codes under the present basis
      const std::vector<double> codes = doubles(c.at("codes"));
      for (std::size_t i = 0; i < codes.size(); ++i) EXPECT_EQ(exported.codes[i], codes[i]) << "code " << i;
      for (std::size_t f = 0; f < shape[0]; ++f) {
        check_table(lq_table(kernels::Encoding::Bipolar,
                             basis_of(quantizer).values().subspan(f * exported.planes, exported.planes)),
                    c, f);
      }
    }
    const Variable y = quantize_weights(ctx_, w, quantizer);
    expect_close(y.value(), c.at("values"), "values");
    expect_close(basis_of(quantizer), c.at("v_ema"), "v_ema");
    backward(ctx_, y, tensor(c.at("upstream")));
    expect_close(w.grad().values(), doubles(c.at("grad_x")), 0.0, "grad_x");
    check_steps(kernels::Encoding::Bipolar, c, c.at("x").at("data").get<std::vector<float>>());
  }
}

TEST_F(LqGoldenTest, Activations) {
  for (const Json& c : golden::cases("lq_activations", "lq_activations")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    LqActivations quantizer({.bits = c.at("K"), .options = {{"alternations", c.at("T").get<int>()}}});
    set_basis(quantizer, c.at("v"));
    const Variable x(tensor(c.at("x")), Gradient::Required);
    if (quantizer.looks_ahead()) quantizer.before_batch(ctx_, x.value());
    const ThresholdTable table = quantizer.table();
    check_table(table, c, 0);
    const std::vector<std::uint8_t> codes = quantize_codes(x.value(), table);
    const std::vector<double> expected = doubles(c.at("codes"));
    for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(codes[i], expected[i]) << "code " << i;

    const Variable y = quantize(ctx_, x, quantizer);
    expect_close(y.value(), c.at("values"), "values");
    expect_close(basis_of(quantizer), c.at("v_ema"), "v_ema");
    backward(ctx_, y, tensor(c.at("upstream")));
    expect_close(x.grad().values(), doubles(c.at("grad_x")), 0.0, "grad_x");
    check_steps(kernels::Encoding::Unsigned, c, c.at("x").at("data").get<std::vector<float>>());
  }
}

/// `optimize` = bp: the bases move by their gradient, that of activations divided by their number.
TEST_F(LqGoldenTest, GradientsOfTheBases) {
  const OptionValues bp{{"optimize", "bp"}};
  for (const Json& c : golden::cases("lq_weights", "lq_weights")) {
    if (c.at("T") != 1) continue;  // the gradient belongs to the codes of the last alternation
    SCOPED_TRACE(c.at("name").get<std::string>());
    const Shape shape = shape_of(c.at("x"));
    LqWeights quantizer(
        {.bits = c.at("K"), .out_channels = shape[0], .filter_size = shape[1], .options = bp});
    set_basis(quantizer, c.at("v"));
    const Variable w(tensor(c.at("x")), Gradient::Required);
    backward(ctx_, quantize_weights(ctx_, w, quantizer), tensor(c.at("upstream")));
    expect_close(quantizer.trained().front().grad(), c.at("bp_grad_v"), "bp_grad_v");
  }
  for (const Json& c : golden::cases("lq_activations", "lq_activations")) {
    if (c.at("T") != 1) continue;
    SCOPED_TRACE(c.at("name").get<std::string>());
    LqActivations quantizer({.bits = c.at("K"), .options = bp});
    set_basis(quantizer, c.at("v"));
    const Variable x(tensor(c.at("x")), Gradient::Required);
    backward(ctx_, quantize(ctx_, x, quantizer), tensor(c.at("upstream")));
    std::vector<double> expected = doubles(c.at("bp_grad_v"));
    for (double& g : expected) g /= static_cast<double>(x.value().size());
    expect_close(quantizer.trained().front().grad().values(), expected, kFloatTolerance, "bp_grad_v");
  }
}

TEST_F(LqGoldenTest, MovingAverageOverBatches) {
  for (const bool debias : {false, true}) {
    const char* field = debias ? "v_after_debiased" : "v_after_plain";
    for (const Json& c : golden::cases("lq_weights", "ema_run")) {
      SCOPED_TRACE(c.at("name").get<std::string>() + " of weights, " + field);
      const Shape batches = shape_of(c.at("batches"));
      const Tensor all = tensor(c.at("batches"));
      LqWeights quantizer({.bits = c.at("K"),
                           .out_channels = 1,
                           .filter_size = batches[1],
                           .options = {{"ema_debias", debias ? 1 : 0}}});
      set_basis(quantizer, c.at("v"));
      std::vector<float> after;
      for (std::size_t b = 0; b < batches[0]; ++b) {
        static_cast<void>(quantizer.forward(
            ctx_, Tensor::from({1, batches[1]}, all.values().subspan(b * batches[1], batches[1]))));
        after.insert(after.end(), basis_of(quantizer).values().begin(), basis_of(quantizer).values().end());
      }
      expect_close<float>(after, doubles(c.at(field)), kFloatTolerance, field);
    }
    for (const Json& c : golden::cases("lq_activations", "ema_run")) {
      SCOPED_TRACE(c.at("name").get<std::string>() + " of activations, " + field);
      const auto values = c.at("batches").at("data").get<std::vector<float>>();
      const std::size_t count = c.at("batches").at("shape").at(0), size = values.size() / count;
      LqActivations quantizer({.bits = c.at("K"), .options = {{"ema_debias", debias ? 1 : 0}}});
      set_basis(quantizer, c.at("v"));
      std::vector<float> after;
      for (std::size_t b = 0; b < count; ++b) {
        const Variable x(Tensor::from({size / 4, 4}, std::span(values).subspan(b * size, size)));
        static_cast<void>(quantize(ctx_, x, quantizer));
        after.insert(after.end(), basis_of(quantizer).values().begin(), basis_of(quantizer).values().end());
      }
      expect_close<float>(after, doubles(c.at(field)), kFloatTolerance, field);
    }
  }
}

}  // namespace
}  // namespace bitplane::train::testing
