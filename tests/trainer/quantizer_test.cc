// SPDX-License-Identifier: Apache-2.0
//
// Properties that every quantizer of the list must have, and LQ-Nets' own.
#include "trainer/quantizers/quantizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <variant>

#include "golden_support.h"
#include "incremental_support.h"
#include "trainer/nets/parts.h"
#include "trainer/nn/layers.h"
#include "trainer/ops/batch_norm.h"
#include "trainer/ops/quantize.h"
#include "trainer/quantizers/list.h"
#include "trainer/quantizers/lq_activations.h"
#include "trainer/quantizers/lq_basis.h"
#include "trainer/quantizers/lq_weights.h"
#include "trainer_support.h"

namespace bitplane::train::testing {
namespace {

Tensor relu_of(Tensor t) {
  for (float& v : t.mutable_values()) v = std::max(v, 0.0F);
  return t;
}

class QuantizerTest : public ::testing::Test {
 protected:
  Context eval() {
    Context ctx{backend_};
    ctx.mode = Mode::Eval;
    return ctx;
  }
  Backend backend_{{.threads = 2}};
  Context ctx_{backend_};
};

TEST_F(QuantizerTest, ListedNamesAreFoundAndOthersAreNot) {
  for (const QuantizerInfo* info : quantizers()) {
    SCOPED_TRACE(info->name);
    EXPECT_EQ(find_quantizer(info->name), info);
    EXPECT_EQ(info->weight_bits.max > 0, info->weights != nullptr);
    EXPECT_EQ(info->activation_bits.max > 0, info->activations != nullptr);
    if (info->weights != nullptr) {
      EXPECT_EQ(info->make_weights({.bits = info->weight_bits.max})->name(), info->name);
    }
    if (info->activations != nullptr) {
      EXPECT_EQ(info->make_activations({.bits = info->activation_bits.min})->name(), info->name);
    }
    EXPECT_THROW(static_cast<void>(info->make_weights({.bits = info->weight_bits.max + 1})),
                 std::invalid_argument);
    EXPECT_THROW(static_cast<void>(info->make_activations({.bits = 0})), std::invalid_argument);
  }
  EXPECT_EQ(find_quantizer("no such quantizer"), nullptr);
}

/// What plane j counts, of the scale or basis of channel o.
double plane_weight(const engine::Basis& basis, engine::PlaneEncoding encoding, std::size_t planes,
                    std::size_t channels, std::size_t j, std::size_t o) {
  double weight = 0;
  if (const auto* learned = std::get_if<engine::LearnedBasis>(&basis)) {
    weight = static_cast<double>(learned->values[j * channels + o]);
  } else {
    const auto& scale = std::get<engine::UniformBasis>(basis).scale;
    weight = std::ldexp(static_cast<double>(scale[scale.size() == 1 ? 0 : o]), static_cast<int>(j));
  }
  return encoding == engine::PlaneEncoding::TwosComplement && j + 1 == planes ? -weight : weight;
}

/// The value that exported planes stand for: a chain of float additions for a learned basis, one rounding for
/// a uniform one.
float value_of_code(const engine::Basis& basis, engine::PlaneEncoding encoding, std::size_t planes,
                    std::size_t channels, std::size_t o, unsigned code) {
  const bool learned = std::holds_alternative<engine::LearnedBasis>(basis);
  double value = 0;
  for (std::size_t j = 0; j < planes; ++j) {
    const double v = plane_weight(basis, encoding, planes, channels, j, o);
    const double zero = encoding == engine::PlaneEncoding::Bipolar ? -v : 0.0;
    value += ((code >> j) & 1U) != 0 ? v : zero;
    if (learned) value = static_cast<double>(static_cast<float>(value));
  }
  return static_cast<float>(value);
}

TEST_F(QuantizerTest, ExportedWeightsAreTheValuesOfTheForward) {
  for (const QuantizerInfo* info : quantizers()) {
    for (std::size_t bits = info->weight_bits.min; bits <= info->weight_bits.max && bits > 0; ++bits) {
      SCOPED_TRACE(std::string(info->name) + ", bits " + std::to_string(bits));
      const std::size_t out = 7, m = 45;
      const auto quantizer =
          info->make_weights({.bits = bits, .out_channels = out, .filter_size = m, .kernel_area = 9});
      Tensor w = random_tensor({out, 3, 3, 5}, 5);
      for (int step = 0; step < 3; ++step)
        static_cast<void>(quantizer->forward(ctx_, w));  // learned state moves
      quantize_all_parts(backend_, *quantizer, w);
      const Tensor y = quantizer->forward(eval(), w);
      const WeightExport e = quantizer->export_weights(w);
      ASSERT_EQ(e.codes.size(), out * m);
      for (std::size_t i = 0; i < out * m; ++i) {
        const float offset = e.offset.empty() ? 0.0F : e.offset[i / m];
        EXPECT_EQ(y.data()[i], offset + value_of_code(e.basis, e.encoding, e.planes, out, i / m, e.codes[i]))
            << i;
      }
    }
  }
}

TEST_F(QuantizerTest, ExportedTablesAreTheForward) {
  for (const QuantizerInfo* info : quantizers()) {
    for (std::size_t bits = info->activation_bits.min; bits <= info->activation_bits.max && bits > 0;
         ++bits) {
      SCOPED_TRACE(std::string(info->name) + ", bits " + std::to_string(bits));
      const auto quantizer = info->make_activations({.bits = bits});
      Tensor x = random_tensor({50, 7}, 6);
      if (!quantizer->reads_signs()) x = relu_of(x);
      static_cast<void>(quantize(ctx_, Variable(x), *quantizer));
      const Tensor y = quantize(eval(), Variable(x), *quantizer).value();
      const engine::Quantize spec = quantizer->export_spec();
      ASSERT_EQ(spec.thresholds.size() + 1, std::size_t{1} << bits);
      EXPECT_TRUE(std::is_sorted(spec.thresholds.begin(), spec.thresholds.end()));
      for (std::size_t i = 0; i < x.size(); ++i) {
        std::size_t rank = 0;
        for (const float t : spec.thresholds) rank += x.data()[i] > t ? 1 : 0;
        const float value = value_of_code(spec.basis, spec.encoding, bits, 1, 0, spec.code_of_rank[rank]);
        ASSERT_EQ(y.data()[i], value) << "x = " << x.data()[i];
      }
      std::vector<std::uint8_t> codes = spec.code_of_rank;
      std::sort(codes.begin(), codes.end());
      for (std::size_t i = 0; i < codes.size(); ++i) ASSERT_EQ(codes[i], i) << "not a permutation";
    }
  }
}

/// All numbers of a quantizer, to the bit.
std::vector<std::vector<std::uint32_t>> state_bits(Quantizer& quantizer) {
  std::vector<std::vector<std::uint32_t>> bits;
  quantizer.visit_state("", {.parameter = [&](const std::string&,
                                              Parameter& p) { bits.push_back(bits_of(p.variable.value())); },
                             .buffer = [&](const std::string&, Tensor& t) { bits.push_back(bits_of(t)); }});
  return bits;
}

TEST_F(QuantizerTest, EvaluationMovesNoActivations) {
  for (const QuantizerInfo* info : quantizers()) {
    if (info->activations == nullptr) continue;
    SCOPED_TRACE(info->name);
    const auto a = info->make_activations({.bits = info->activation_bits.max});
    for (const char* when : {"before the first step", "behind it"}) {
      SCOPED_TRACE(when);
      const auto before = state_bits(*a);
      static_cast<void>(quantize(eval(), Variable(relu_of(random_tensor({9, 3}, 1))), *a));
      EXPECT_EQ(state_bits(*a), before);
      static_cast<void>(quantize(ctx_, Variable(relu_of(random_tensor({9, 3}, 2))), *a));
    }
  }
}

TEST_F(QuantizerTest, EvaluationMovesNoWeights) {
  const auto expect_still = [&](WeightQuantizer& w) {
    for (const char* when : {"before the first step", "behind it"}) {
      SCOPED_TRACE(when);
      const auto before = state_bits(w);
      const Tensor other = random_tensor({2, 6}, 3);
      const auto first = bits_of(w.forward(eval(), other));
      EXPECT_EQ(state_bits(w), before);
      EXPECT_EQ(bits_of(w.forward(eval(), other)), first);
      static_cast<void>(w.forward(ctx_, random_tensor({2, 6}, 2)));
    }
  };
  for (const QuantizerInfo* info : quantizers()) {
    if (info->weights == nullptr) continue;
    SCOPED_TRACE(info->name);
    WeightQuantizerOptions layer{
        .bits = info->weight_bits.max, .out_channels = 2, .filter_size = 6, .kernel_area = 1};
    expect_still(*info->make_weights(layer));
    for (const OptionInfo& option : info->weight_options) {
      for (const std::string_view choice : option.choices) {
        SCOPED_TRACE(std::string(option.name) + "=" + std::string(choice));
        layer.options = {{std::string(option.name), std::string(choice)}};
        expect_still(*info->make_weights(layer));
      }
    }
  }
}

/// The same where the batch norm, the ReLU and the quantizer are one operation.
TEST_F(QuantizerTest, EvaluationMovesNothingBehindABatchNormEither) {
  for (const QuantizerInfo* info : quantizers()) {
    if (info->activations == nullptr) continue;
    SCOPED_TRACE(info->name);
    Sequential net;
    net.emplace<BatchNorm>("bn", BatchNormModuleOptions{.channels = 3});
    net.emplace<Relu>("relu");
    net.emplace<Quantize>("quantize", info->make_activations({.bits = info->activation_bits.max}));
    const auto state = [&net] {
      std::vector<std::vector<std::uint32_t>> bits;
      for (const NamedBuffer& b : named_buffers(net)) bits.push_back(bits_of(*b.buffer));
      for (const NamedParameter& p : named_parameters(net))
        bits.push_back(bits_of(p.parameter->variable.value()));
      return bits;
    };
    static_cast<void>(net.forward(ctx_, Variable(random_tensor({40, 3}, 1))));
    const auto trained = state();
    Context ctx = eval();
    for (const Fusion fusion : {Fusion::On, Fusion::Off}) {
      ctx.fusion = fusion;
      static_cast<void>(net.forward(ctx, Variable(random_tensor({40, 3}, 2))));
      EXPECT_EQ(state(), trained);
    }
  }
}

/// y = step * [x > step], with surrogate min(x, step): the gradient above the step goes to the step. Stands
/// for the quantizers whose interval is learned.
class TrainedStep final : public ActivationQuantizer {
 public:
  std::string_view name() const noexcept override { return "trained-step"; }
  std::size_t bits() const noexcept override { return 1; }
  std::vector<Variable> trained() const override { return {step}; }
  void visit_state(const std::string&, const StateVisitor&) override {}
  ThresholdTable table() const override {
    const float s = step.value().data()[0];
    return {.bits = 1, .thresholds = {s}, .levels = {0.0F, s}, .code_of_rank = {0, 1}, .pass_up_to = s};
  }
  void after_batch(const RankStatistics&) override { FAIL() << "asked for no statistics"; }
  std::vector<Tensor> backward(const Context& ctx, const ThresholdTable& used, const Tensor& x,
                               Tensor dy) override {
    float above = 0.0F;
    for (std::size_t i = 0; i < x.size(); ++i)
      above += x.data()[i] > used.thresholds[0] ? dy.data()[i] : 0.0F;
    std::vector<Tensor> grads = ActivationQuantizer::backward(ctx, used, x, std::move(dy));
    grads.push_back(Tensor::filled({1}, above));
    return grads;
  }
  engine::Quantize export_spec() const override { return {}; }

  Variable step = Variable(Tensor::filled({1}, 0.5F), Gradient::Required);
};

TEST_F(QuantizerTest, TrainedParametersGetTheirGradientAlsoBehindABatchNorm) {
  TrainedStep quantizer;
  const Tensor x = random_tensor({20, 3}, 8);
  std::size_t above = 0;
  for (const float v : x.values()) above += v > 0.5F ? 1 : 0;
  const Variable plain = quantize(ctx_, Variable(x), quantizer);
  backward(ctx_, plain, Tensor::filled({20, 3}, 1.0F));
  EXPECT_EQ(quantizer.step.grad().data()[0], static_cast<float>(above));

  quantizer.step.clear_grad();
  Tensor mean = Tensor::zeros({3}), var = Tensor::filled({3}, 1.0F);
  const Variable fused = batch_norm_relu_quantize(ctx_, Variable(x, Gradient::Required),
                                                  {.running_mean = &mean, .running_var = &var}, quantizer);
  backward(ctx_, fused, Tensor::filled({20, 3}, 1.0F));
  EXPECT_GT(quantizer.step.grad().data()[0], 0.0F);
}

TEST_F(QuantizerTest, AWrongSizeNamesTheShapes) {
  LqWeights quantizer({.bits = 2, .out_channels = 4, .filter_size = 9});
  try {
    static_cast<void>(quantizer.forward(ctx_, Tensor::zeros({4, 8})));
    FAIL() << "did not throw";
  } catch (const std::invalid_argument& e) {
    EXPECT_NE(std::string(e.what()).find("[4, 8]"), std::string::npos) << e.what();
  }
}

double squared_error(const ThresholdTable& table, const Tensor& x) {
  double error = 0;
  for (const float v : x.values()) {
    error += std::pow(static_cast<double>(v - table.levels[rank_of(table.thresholds, v)]), 2);
  }
  return error;
}

TEST_F(QuantizerTest, LqAlternationsNeverIncreaseTheError) {
  for (std::size_t bits = 1; bits <= 4; ++bits) {
    for (const auto encoding : {kernels::Encoding::Unsigned, kernels::Encoding::Bipolar}) {
      for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        SCOPED_TRACE("bits " + std::to_string(bits) + ", seed " + std::to_string(seed));
        const Tensor x = random_tensor({400}, seed);
        Random random(seed, 99);
        std::vector<double> v;
        for (std::size_t j = 0; j < bits; ++j) v.push_back(random.normal());
        double last = std::numeric_limits<double>::infinity();
        for (int step = 0; step < 8; ++step) {
          const ThresholdTable table = lq_table(encoding, std::vector<float>(v.begin(), v.end()));
          const double error = squared_error(table, x);
          EXPECT_LE(error, last * (1.0 + 1e-5));
          last = error;
          RankStatistics s{std::vector<std::uint64_t>(table.levels.size()),
                           std::vector<double>(table.levels.size())};
          for (const float value : x.values()) {
            const std::size_t rank = rank_of(table.thresholds, value);
            ++s.count[rank];
            s.sum[rank] += static_cast<double>(value);
          }
          v = lq_solve(encoding, table, s, v);
        }
      }
    }
  }
}

TEST_F(QuantizerTest, LqBasesStartAtTheThirdQuartile) {
  LqActivations activations({.bits = 2});
  expect_close<float>(state_of(activations, "basis").values(), {0.449667, 0.899333}, 1e-6, "of activations");
  // Weights have the deviation sqrt(2 / fan-out), here of 9 * 16.
  const double top = 0.6745 * std::sqrt(2.0 / 144.0) / 2.0;
  LqWeights weights({.bits = 2, .out_channels = 16, .filter_size = 72, .kernel_area = 9});
  std::vector<double> expected;
  for (int filter = 0; filter < 16; ++filter) expected.insert(expected.end(), {top, 2.0 * top});
  expect_close<float>(state_of(weights, "basis").values(), expected, 1e-8, "of weights");
}

/// A net hands the area of its kernels to the quantizer: 3 x 3 and 16 outputs give the start above.
TEST_F(QuantizerTest, LqBasesOfANetStartByItsFanOut) {
  const QuantizationPlan plan{
      .weights =
          [](const WeightQuantizerOptions& layer) { return find_quantizer("lq-nets")->make_weights(layer); },
      .activations = {}};
  const NetOptions options{.input = {8, 8, 8}, .plan = plan};
  Sequential net;
  NetParts(options).conv(net, "conv", {.in_channels = 8, .out_channels = 16, .kernel = 3}, Place::Inner);
  const auto buffers = named_buffers(net);
  ASSERT_EQ(buffers.size(), 1U);
  ASSERT_EQ(buffers[0].name, "conv.quantizer.basis");
  EXPECT_NEAR(buffers[0].buffer->data()[0], 0.6745 * std::sqrt(2.0 / 144.0) / 2.0, 1e-8);
}

TEST_F(QuantizerTest, LqRankCountsTheThresholdsBelow) {
  const std::vector<float> few{-1.0F, 0.0F, 0.0F, 2.0F};
  std::vector<float> many;
  for (int i = 0; i < 31; ++i) many.push_back(static_cast<float>(i / 3));
  for (const auto& thresholds : {few, many}) {
    for (const float x : {-2.0F, -1.0F, 0.0F, 0.5F, 2.0F, 3.0F, 3.5F, 100.0F}) {
      const auto expected =
          std::count_if(thresholds.begin(), thresholds.end(), [&](float t) { return x > t; });
      EXPECT_EQ(rank_of(thresholds, x), static_cast<std::size_t>(expected)) << x;
    }
  }
}

TEST_F(QuantizerTest, LqSingularOrInfiniteKeepsTheOldBasis) {
  const std::vector<float> v{0.5F, 1.0F};
  const std::vector<double> old{0.5, 1.0};
  const ThresholdTable table = lq_table(kernels::Encoding::Unsigned, v);
  const RankStatistics none{std::vector<std::uint64_t>(4), std::vector<double>(4)};
  const std::vector<double> same = lq_solve(kernels::Encoding::Unsigned, table, none, old);
  EXPECT_NEAR(same[0], 0.5, 1e-15);
  EXPECT_NEAR(same[1], 1.0, 1e-15);
  RankStatistics infinite = none;
  infinite.count[3] = 1;
  infinite.sum[3] = std::numeric_limits<double>::infinity();
  EXPECT_EQ(lq_solve(kernels::Encoding::Unsigned, table, infinite, old), old);
  // Rank one with counts so large that delta falls below 1e-15 of the trace.
  RankStatistics huge = none;
  huge.count[3] = 1'000'000'000'000'000;
  huge.sum[3] = 1e15;
  EXPECT_EQ(lq_solve(kernels::Encoding::Unsigned, table, huge, old), old);
}

/// The slope is 1 from the lowest level to the highest one, both included, and 0 elsewhere. The lowest level
/// is 0, or below where an element of the basis is negative.
TEST_F(QuantizerTest, LqActivationsPassGradientsBetweenTheirEndLevels) {
  const auto slopes = [&](const std::vector<float>& basis, const std::vector<float>& at) {
    LqActivations quantizer({.bits = basis.size()});
    state_of(quantizer, "basis").copy_from(Tensor::from({basis.size()}, basis));
    const Variable x(Tensor::from({1, at.size()}, at), Gradient::Required);
    backward(ctx_, quantize(ctx_, x, quantizer), Tensor::filled({1, at.size()}, 1.0F));
    return std::vector<float>(x.grad().values().begin(), x.grad().values().end());
  };
  using Slopes = std::vector<float>;
  EXPECT_EQ(slopes({0.5F, 1.0F}, {-2.0F, -1e-30F, -0.0F, 0.0F, 0.7F, 1.5F, std::nextafter(1.5F, 2.0F)}),
            (Slopes{0, 0, 1, 1, 1, 1, 0}));
  EXPECT_EQ(slopes({-0.5F, 1.0F}, {-0.7F, std::nextafter(-0.5F, -1.0F), -0.5F, -0.1F, 0.0F, 1.0F, 1.1F}),
            (Slopes{0, 0, 1, 1, 1, 1, 0}));
}

/// Behind a ReLU the slope below 0 is the ReLU's, wherever the lowest level is.
TEST_F(QuantizerTest, LqActivationsBehindABatchNormHaveTheSameGradientsFused) {
  for (const float first : {0.5F, -0.5F}) {
    SCOPED_TRACE(first);
    const auto gradients = [&](Fusion fusion) {
      Sequential net;
      net.emplace<BatchNorm>("bn", BatchNormModuleOptions{.channels = 3});
      net.emplace<Relu>("relu");
      net.emplace<Quantize>("quantize",
                            std::make_unique<LqActivations>(ActivationQuantizerOptions{.bits = 2}));
      named_buffers(net).back().buffer->copy_from(Tensor::from({2}, std::vector<float>{first, 1.0F}));
      Context ctx = ctx_;
      ctx.fusion = fusion;
      const Variable x(random_tensor({40, 3}, 1), Gradient::Required);
      backward(ctx, net.forward(ctx, x), random_tensor({40, 3}, 2));
      return bits_of(x.grad());
    };
    EXPECT_EQ(gradients(Fusion::On), gradients(Fusion::Off));
  }
}

TEST_F(QuantizerTest, LqActivationsGoOnWithinTheirPassInterval) {
  LqActivations quantizer({.bits = 2});
  const float top = quantizer.table().levels.back();
  const std::vector<double> x{static_cast<double>(top) + 1.0, 0.3, -1.0};
  const auto bottom = static_cast<double>(std::nextafter(0.0F, -1.0F));
  EXPECT_EQ(quantizer.surrogate({.at = Tensor(), .x = x}),
            (std::vector<double>{static_cast<double>(top), 0.3, bottom}));
}

}  // namespace
}  // namespace bitplane::train::testing
