// SPDX-License-Identifier: Apache-2.0
//
// Properties that every quantizer of the list must have.
#include "trainer/quantizers/quantizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <variant>

#include "golden_support.h"
#include "incremental_support.h"
#include "trainer/nn/layers.h"
#include "trainer/ops/batch_norm.h"
#include "trainer/ops/quantize.h"
#include "trainer/quantizers/list.h"
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

}  // namespace
}  // namespace bitplane::train::testing
