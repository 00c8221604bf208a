// SPDX-License-Identifier: Apache-2.0
//
// Every operation's backward against the numeric derivative, in double, of its surrogate.
#include "trainer/autograd/gradcheck.h"

#include <gtest/gtest.h>

#include "reference_ops.h"
#include "trainer/nn/layers.h"
#include "trainer/ops/batch_norm.h"
#include "trainer/ops/concat.h"
#include "trainer/ops/conv2d.h"
#include "trainer/ops/dropout.h"
#include "trainer/ops/elementwise.h"
#include "trainer/ops/local_response_norm.h"
#include "trainer/ops/loss.h"
#include "trainer/ops/pooling.h"
#include "trainer/ops/quantize.h"
#include "trainer/ops/shortcut.h"
#include "trainer/quantizers/list.h"
#include "trainer_support.h"

namespace bitplane::train::testing {
namespace {

using Inputs = std::vector<Variable>;
using Points = std::vector<DoubleValues>;

class OperationGradcheck : public ::testing::Test {
 protected:
  static Variable input(const Shape& shape, std::uint64_t seed) {
    return Variable(random_tensor(shape, seed, "gradcheck input"), Gradient::Required);
  }
  void expect_ok(const CheckedOperation& operation, const Surrogate& surrogate, const Inputs& inputs) {
    const GradcheckReport report = gradcheck(ctx_, operation, surrogate, inputs);
    EXPECT_TRUE(report.ok) << report.str();
  }
  Backend backend_{{.threads = 2}};
  Context ctx_{backend_};
};

TEST_F(OperationGradcheck, Convolutions) {
  const ReferenceConv cases[] = {
      {.n = 1, .h = 1, .w = 1, .c = 1, .o = 1, .kernel = 1},
      {.n = 2, .h = 5, .w = 4, .c = 3, .o = 5, .kernel = 3, .pad = 1},
      {.n = 2, .h = 7, .w = 6, .c = 2, .o = 3, .kernel = 3, .stride = 2, .pad = 1},
      {.n = 1, .h = 8, .w = 8, .c = 2, .o = 2, .kernel = 3, .stride = 3},  // leftover rows see no window
      {.n = 2, .h = 5, .w = 5, .c = 2, .o = 3, .kernel = 1, .stride = 2},  // projection shortcut
      {.n = 1, .h = 4, .w = 5, .c = 2, .o = 2, .kernel = 2, .pad = 3},     // more padding than kernel
      {.n = 1, .h = 7, .w = 7, .c = 2, .o = 3, .kernel = 3, .pad = 2, .dilation = 2},
      {.n = 3, .h = 5, .w = 5, .c = 4, .o = 6, .kernel = 3, .pad = 1, .groups = 2},
      {.n = 2, .h = 6, .w = 5, .c = 3, .o = 3, .kernel = 3, .stride = 2, .pad = 1, .groups = 3},  // depthwise
      {.n = 19, .h = 3, .w = 3, .c = 1, .o = 2, .kernel = 3, .pad = 1},  // two blocks of pictures
  };
  std::uint64_t seed = 100;
  for (const ReferenceConv& g : cases) {
    SCOPED_TRACE("case with seed " + std::to_string(seed));
    const ConvOptions options{.stride_h = g.stride,
                              .stride_w = g.stride,
                              .pad_h = g.pad,
                              .pad_w = g.pad,
                              .dilation_h = g.dilation,
                              .dilation_w = g.dilation,
                              .groups = g.groups};
    const Inputs inputs{input({g.n, g.h, g.w, g.c}, seed),
                        input({g.o, g.kernel, g.kernel, g.c / g.groups}, seed + 1), input({g.o}, seed + 2)};
    expect_ok([&](const Inputs& in) { return conv2d(ctx_, in[0], in[1], in[2], options); },
              [&](const Points& p) { return reference_conv(g, p[0], p[1], p[2]); }, inputs);
    seed += 10;
  }
}

TEST_F(OperationGradcheck, ConvolutionWithoutBiasOnAFixedInput) {
  const ReferenceConv g{.n = 2, .h = 4, .w = 4, .c = 1, .o = 2, .kernel = 3, .pad = 1};
  const Variable picture(random_tensor({2, 4, 4, 1}, 7));
  const Inputs inputs{picture, input({2, 3, 3, 1}, 8)};
  expect_ok([&](const Inputs& in) { return conv2d(ctx_, in[0], in[1], {}, {.pad_h = 1, .pad_w = 1}); },
            [&](const Points& p) { return reference_conv(g, p[0], p[1], {}); }, inputs);
  EXPECT_FALSE(picture.has_grad());
}

TEST_F(OperationGradcheck, Linear) {
  for (const std::size_t n : {1U, 5U, 33U}) {
    const ReferenceConv g{.n = n, .h = 1, .w = 1, .c = 7, .o = 4, .kernel = 1};
    expect_ok([&](const Inputs& in) { return linear(ctx_, in[0], in[1], in[2]); },
              [&](const Points& p) { return reference_conv(g, p[0], p[1], p[2]); },
              {input({n, 7}, 11), input({4, 7}, 12), input({4}, 13)});
  }
}

TEST_F(OperationGradcheck, BatchNorm) {
  for (const std::size_t rows : {2U, 12U, 300U}) {  // 300: two blocks of rows
    SCOPED_TRACE(rows);
    Tensor mean = Tensor::zeros({3}), var = Tensor::filled({3}, 1.0F);
    expect_ok(
        [&](const Inputs& in) {
          return batch_norm(ctx_, in[0], {in[1], in[2], &mean, &var});
        },
        [](const Points& p) { return reference_batch_norm(3, p[0], p[1], p[2]); },
        {input({rows, 3}, 21), input({3}, 22), input({3}, 23)});
    expect_ok(
        [&](const Inputs& in) {
          return batch_norm(ctx_, in[0], {{}, {}, &mean, &var});
        },
        [](const Points& p) { return reference_batch_norm(3, p[0], {}, {}); }, {input({rows, 3}, 24)});
  }
}

TEST_F(OperationGradcheck, BatchNormReluFused) {
  Tensor mean = Tensor::zeros({4}), var = Tensor::filled({4}, 1.0F);
  expect_ok(
      [&](const Inputs& in) {
        return batch_norm_relu(ctx_, in[0], {in[1], in[2], &mean, &var});
      },
      [](const Points& p) { return reference_clamp(reference_batch_norm(4, p[0], p[1], p[2]), 0.0, 1e300); },
      {input({2, 3, 3, 4}, 31), input({4}, 32), input({4}, 33)});
}

TEST_F(OperationGradcheck, BatchNormReluQuantizeFused) {
  for (const QuantizerInfo* info : quantizers()) {
    if (info->activation_bits.max == 0) continue;
    SCOPED_TRACE(info->name);
    Tensor mean = Tensor::zeros({4}), var = Tensor::filled({4}, 1.0F);
    const auto quantizer = info->make_activations({.bits = info->activation_bits.max});
    if (!quantizer->trained().empty() || quantizer->looks_ahead()) continue;  // never fused
    const ThresholdTable table = quantizer->table();  // before the batch moves the state
    expect_ok(
        [&](const Inputs& in) {
          return batch_norm_relu_quantize(ctx_, in[0], {in[1], in[2], &mean, &var}, *quantizer);
        },
        [&](const Points& p) {
          const DoubleValues t = reference_clamp(reference_batch_norm(4, p[0], p[1], p[2]), 0.0, 1e300);
          return reference_clamp(t, static_cast<double>(table.pass_above),
                                 static_cast<double>(table.pass_up_to));
        },
        {input({2, 3, 3, 4}, 41), input({4}, 42), input({4}, 43)});
  }
}

/// The defaults, and every choice of every option once.
std::vector<OptionValues> option_sets(std::span<const OptionInfo> known) {
  std::vector<OptionValues> sets{{}};
  for (const OptionInfo& option : known) {
    for (const std::string_view choice : option.choices) {
      if (choice != option.choices.front()) sets.push_back({{std::string(option.name), std::string(choice)}});
    }
  }
  return sets;
}

std::string text_of(const OptionValues& options) {
  std::string text;
  for (const auto& [name, value] : options) text += ", " + name + " " + to_string(value);
  return text;
}

/// The operand, and what the quantizer trains beside it.
Inputs inputs_of(const Variable& x, const Quantizer& quantizer) {
  Inputs inputs{x};
  for (const Variable& trained : quantizer.trained()) inputs.push_back(trained);
  return inputs;
}

DoubleValues surrogate_at(const Quantizer& quantizer, const Tensor& at, const Points& p) {
  return quantizer.surrogate({.at = at, .x = p[0], .trained = std::span(p).subspan(1)});
}

/// HWGQ's pair of levels is one of 2 bits alone.
bool has(const QuantizerInfo& info, std::size_t bits, const OptionValues& options) {
  const auto levels = options.find("levels");
  return info.name != "hwgq" || bits == 2 || levels == options.end() ||
         levels->second != OptionValue("non-uniform");
}

TEST_F(OperationGradcheck, QuantizersOfActivationsAgainstTheirDeclaredSurrogate) {
  for (const QuantizerInfo* info : quantizers()) {
    for (const OptionValues& options : option_sets(info->activation_options)) {
      const BitRange range = info->activation_bits;
      for (std::size_t bits = range.min; bits <= range.max && bits > 0; ++bits) {
        if (!has(*info, bits, options)) continue;
        SCOPED_TRACE(std::string(info->name) + ", bits " + std::to_string(bits) + text_of(options));
        const auto used = info->make_activations({.bits = bits, .options = options}),
                   declared = info->make_activations({.bits = bits, .options = options});
        const Variable x = input({37, 3}, 50 + bits);
        for (ActivationQuantizer* quantizer : {used.get(), declared.get()})
          static_cast<void>(quantize(ctx_, x, *quantizer));  // one batch: the state starts
        expect_ok([&](const Inputs& in) { return quantize(ctx_, in[0], *used); },
                  [&](const Points& p) { return surrogate_at(*declared, x.value(), p); },
                  inputs_of(x, *used));
      }
    }
  }
}

TEST_F(OperationGradcheck, QuantizersOfWeightsAgainstTheirDeclaredSurrogate) {
  for (const QuantizerInfo* info : quantizers()) {
    for (const OptionValues& options : option_sets(info->weight_options)) {
      const BitRange range = info->weight_bits;
      for (std::size_t bits = range.min; bits <= range.max && bits > 0; ++bits) {
        SCOPED_TRACE(std::string(info->name) + ", bits " + std::to_string(bits) + text_of(options));
        const auto quantizer = info->make_weights(
            {.bits = bits, .out_channels = 5, .filter_size = 9, .kernel_area = 9, .options = options});
        const Variable w = input({5, 3, 3, 1}, 60 + bits);
        static_cast<void>(quantize_weights(ctx_, w, *quantizer));  // the state starts
        expect_ok([&](const Inputs& in) { return quantize_weights(ctx_, in[0], *quantizer); },
                  [&](const Points& p) { return surrogate_at(*quantizer, w.value(), p); },
                  inputs_of(w, *quantizer));
      }
    }
  }
}

TEST_F(OperationGradcheck, ReluAddFlatten) {
  expect_ok([&](const Inputs& in) { return flatten(ctx_, add(ctx_, relu(ctx_, in[0]), in[1])); },
            [](const Points& p) {
              DoubleValues y = reference_clamp(p[0], 0.0, 1e300);
              for (std::size_t i = 0; i < y.size(); ++i) y[i] += p[1][i];
              return y;
            },
            {input({2, 3, 2, 3}, 71), input({2, 3, 2, 3}, 72)});
}

TEST_F(OperationGradcheck, Pooling) {
  const ReferencePool cases[] = {
      {.n = 2, .h = 6, .w = 4, .c = 3, .kernel = 2, .stride = 2, .pad = 0, .oh = 3, .ow = 2},
      {.n = 1, .h = 7, .w = 5, .c = 2, .kernel = 2, .stride = 2, .pad = 0, .oh = 3, .ow = 2},  // leftover
                                                                                               // row, column
      {.n = 2, .h = 7, .w = 7, .c = 2, .kernel = 3, .stride = 2, .pad = 1, .oh = 4, .ow = 4},
      {.n = 1, .h = 5, .w = 5, .c = 17, .kernel = 3, .stride = 1, .pad = 1, .oh = 5, .ow = 5},  // overlapping
                                                                                                // windows
  };
  for (const ReferencePool& g : cases) {
    const PoolOptions options{.kernel = g.kernel, .stride = g.stride, .pad = g.pad};
    const Inputs inputs{input({g.n, g.h, g.w, g.c}, 81)};
    expect_ok([&](const Inputs& in) { return max_pool(ctx_, in[0], options); },
              [&](const Points& p) {
                return reference_pool(g, p[0],
                                      [](const Doubles& w) { return *std::max_element(w.begin(), w.end()); });
              },
              inputs);
    expect_ok([&](const Inputs& in) { return average_pool(ctx_, in[0], options); },
              [&](const Points& p) { return reference_pool(g, p[0], mean_of); }, inputs);
  }
  const ReferencePool averages[] = {
      {.n = 2, .h = 7, .w = 6, .c = 2, .kernel = 3, .stride = 2, .pad = 1, .oh = 4, .ow = 4},  // ceil: beyond
                                                                                               // the padding
      {.n = 1, .h = 6, .w = 5, .c = 3, .kernel = 2, .stride = 2, .pad = 1, .oh = 4, .ow = 3},
      {.n = 1, .h = 8, .w = 8, .c = 1, .kernel = 3, .stride = 2, .pad = 0, .oh = 4, .ow = 4},
  };
  for (const ReferencePool& g : averages) {
    PoolOptions options{
        .kernel = g.kernel, .stride = g.stride, .pad = g.pad, .rounding = engine::PoolRounding::Ceil};
    const Inputs inputs{input({g.n, g.h, g.w, g.c}, 83)};
    const auto pool = [&](const Inputs& in) { return average_pool(ctx_, in[0], options); };
    expect_ok(
        pool, [&](const Points& p) { return reference_pool(g, p[0], mean_of); }, inputs);
    options.padding = PoolPadding::Included;
    expect_ok(
        pool, [&](const Points& p) { return reference_padded_average(g, p[0]); }, inputs);
  }
  const ReferencePool whole{
      .n = 3, .h = 5, .w = 5, .c = 2, .kernel = 5, .stride = 1, .pad = 0, .oh = 1, .ow = 1};
  expect_ok([&](const Inputs& in) { return global_average_pool(ctx_, in[0]); },
            [&](const Points& p) { return reference_pool(whole, p[0], mean_of); }, {input({3, 5, 5, 2}, 82)});
}

TEST_F(OperationGradcheck, ZeroChannelShortcut) {
  struct Case {
    std::size_t n, h, w, c;
    ShortcutOptions options;
  };
  const Case cases[] = {
      {2, 4, 6, 3, {.front = 1, .back = 2}},
      {2, 5, 3, 2, {.front = 0, .back = 2}},  // leftover row and column
      {1, 5, 4, 3, {.front = 2, .back = 1, .sampling = ShortcutSampling::Subsample}},
      {1, 7, 7, 2, {.stride = 3, .front = 1, .back = 1}},
      {3, 1, 1, 1, {.stride = 1, .front = 0, .back = 3}},
  };
  for (const Case& k : cases) {
    SCOPED_TRACE(std::to_string(k.h) + "x" + std::to_string(k.w) + ", stride " +
                 std::to_string(k.options.stride));
    expect_ok([&](const Inputs& in) { return zero_channel_shortcut(ctx_, in[0], k.options); },
              [&](const Points& p) {
                return reference_shortcut({.n = k.n,
                                           .h = k.h,
                                           .w = k.w,
                                           .c = k.c,
                                           .stride = k.options.stride,
                                           .front = k.options.front,
                                           .back = k.options.back,
                                           .average = k.options.sampling == ShortcutSampling::Average},
                                          p[0]);
              },
              {input({k.n, k.h, k.w, k.c}, 101)});
  }
}

TEST_F(OperationGradcheck, Concat) {
  // Two parts are the same variable: its gradients add up. 300 rows: two blocks.
  expect_ok(
      [&](const Inputs& in) {
        return concat(ctx_, {in[0], in[1], in[0]});
      },
      [](const Points& p) {
        DoubleValues y;
        for (std::size_t row = 0; row < 300; ++row) {
          for (const auto& [part, width] : {std::pair{0, 2}, {1, 3}, {0, 2}}) {
            for (int c = 0; c < width; ++c) y.push_back(p[part][row * width + c]);
          }
        }
        return y;
      },
      {input({3, 10, 10, 2}, 111), input({3, 10, 10, 3}, 112)});
}

TEST_F(OperationGradcheck, LocalResponseNorm) {
  for (const ResponseWindow window : {ResponseWindow::AcrossChannels, ResponseWindow::WithinChannel}) {
    for (const double beta : {0.75, 0.6}) {
      for (const std::size_t size : {1U, 3U, 5U}) {
        SCOPED_TRACE("beta " + std::to_string(beta) + ", size " + std::to_string(size));
        const ResponseNormOptions o{.size = size, .alpha = 0.7, .beta = beta, .k = 1.5, .window = window};
        expect_ok([&](const Inputs& in) { return local_response_norm(ctx_, in[0], o); },
                  [&](const Points& p) {
                    return reference_response_norm({.n = 2,
                                                    .h = 4,
                                                    .w = 3,
                                                    .c = 6,
                                                    .size = size,
                                                    .alpha = o.alpha,
                                                    .beta = o.beta,
                                                    .k = o.k,
                                                    .across = window == ResponseWindow::AcrossChannels},
                                                   p[0]);
                  },
                  {input({2, 4, 3, 6}, 121)});
      }
    }
  }
}

TEST_F(OperationGradcheck, Dropout) {
  Context ctx = ctx_;
  ctx.seed = 5;
  ctx.step = 3;
  const DropoutOptions options{.rate = 0.3, .stream = 9};
  const Tensor mask = dropout(ctx, Variable(Tensor::filled({7, 11}, 1.0F)), options).value();
  expect_ok([&](const Inputs& in) { return dropout(ctx, in[0], options); },
            [&](const Points& p) {
              DoubleValues y = p[0];
              for (std::size_t i = 0; i < y.size(); ++i) y[i] *= static_cast<double>(mask.values()[i]);
              return y;
            },
            {input({7, 11}, 131)});
}

TEST_F(OperationGradcheck, LossesOfATeacher) {
  const std::vector<std::uint16_t> labels{3, 0, 6, 2, 2};
  const Tensor teacher = random_tensor({5, 7}, 141);
  const auto squared = [&](const DoubleValues& z) {
    double sum = 0;
    for (std::size_t i = 0; i < z.size(); ++i)
      sum += std::pow(z[i] - static_cast<double>(teacher.values()[i]), 2) / 35.0;
    return sum;
  };
  expect_ok([&](const Inputs& in) { return mean_squared_error(ctx_, in[0], teacher); },
            [&](const Points& p) { return DoubleValues{squared(p[0])}; }, {input({5, 7}, 142)});
  expect_ok(
      [&](const Inputs& in) {
        return distillation_loss(ctx_, in[0], labels,
                                 {.teacher = teacher, .lambda = 0.3, .label_smoothing = 0.2});
      },
      [&](const Points& p) {
        return DoubleValues{0.7 * reference_cross_entropy(7, p[0], labels, 0.2) + 0.3 * squared(p[0])};
      },
      {input({5, 7}, 143)});
}

TEST_F(OperationGradcheck, SoftmaxCrossEntropy) {
  const std::vector<std::uint16_t> labels{3, 0, 6, 2, 2};
  expect_ok([&](const Inputs& in) { return softmax_cross_entropy(ctx_, in[0], labels); },
            [&](const Points& p) { return DoubleValues{reference_cross_entropy(7, p[0], labels)}; },
            {input({5, 7}, 91)});
  expect_ok(
      [&](const Inputs& in) { return softmax_cross_entropy(ctx_, in[0], labels, {.label_smoothing = 0.1}); },
      [&](const Points& p) { return DoubleValues{reference_cross_entropy(7, p[0], labels, 0.1)}; },
      {input({5, 7}, 92)});
}

}  // namespace
}  // namespace bitplane::train::testing
