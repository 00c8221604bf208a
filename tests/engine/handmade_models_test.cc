// SPDX-License-Identifier: Apache-2.0
//
// What the methods' models are made of, written by hand, against the oracle: codebooks, offsets, bipolar
// activations at the border, one-hot planes, scales of groups of filters, thresholds of a quantizer defined
// with >=, equal thresholds, falling and constant channels. Every ISA, bit for bit.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "bitplane/engine.h"
#include "bitplane/kernels/isa.h"
#include "engine/reference/interpreter.h"
#include "engine/reference/lowered.h"
#include "engine/reference/plan_text.h"
#include "engine/reference/specs.h"
#include "engine/sample_model.h"

namespace bitplane::engine {
namespace {

using reference::SpecBuilder;
using testing::SampleMaker;

std::vector<std::uint8_t> picture_of(const ModelSpec& spec) {
  std::mt19937 random(77);
  std::vector<std::uint8_t> bytes(spec.input.height * spec.input.width * spec.input.channels);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return bytes;
}

/// Codes and output, on every ISA present; the bytes of a file give the same model.
void expect_oracle(const ModelSpec& spec) {
  const std::vector<std::uint8_t> picture = picture_of(spec);
  const auto results = reference::interpret(spec, reference::preprocess(spec.input, picture));
  const Result<std::vector<std::byte>> bytes = serialize_model(spec);
  ASSERT_TRUE(bytes.ok()) << bytes.status().message();
  const Result<Model> model = Model::load(bytes.value());
  ASSERT_TRUE(model.ok()) << model.status().message();
  ASSERT_TRUE(model->spec() == spec);
  for (const kernels::IsaInfo& isa : kernels::kIsas) {
    if (!kernels::detect_cpu().has(isa.isa)) continue;
    SCOPED_TRACE(std::string(isa.name));
    Result<Session> session =
        Session::create(model.value(), {.isa = std::string(isa.name), .capture_codes = true});
    ASSERT_TRUE(session.ok()) << session.status().message();
    ASSERT_TRUE(session->run(picture).ok());
    for (std::size_t q = 0; q < session->quantizers().size(); ++q) {
      const auto codes = session->codes(q);
      const std::vector<std::uint8_t>& expected = results.at(session->quantizers()[q]).codes;
      ASSERT_TRUE(std::equal(codes.begin(), codes.end(), expected.begin(), expected.end()))
          << session->quantizers()[q];
    }
    const std::vector<float>& expected = results.at(spec.output).values;
    ASSERT_EQ(session->output().size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ(std::bit_cast<std::uint32_t>(session->output()[i]), std::bit_cast<std::uint32_t>(expected[i]))
          << i << ": " << session->output()[i] << ", the oracle's " << expected[i];
    }
  }
}

Conv2d conv3x3(std::size_t out, Weights weights) {
  Conv2d conv{.out_channels = out,
              .kernel_h = 3,
              .kernel_w = 3,
              .pad_h = 1,
              .pad_w = 1,
              .weights = std::move(weights),
              .bias = {}};
  return conv;
}

TEST(HandmadeModels, CodebooksOfEverySizeAndScope) {
  SampleMaker make;
  for (const CodebookScope scope : {CodebookScope::Layer, CodebookScope::Channel}) {
    for (const std::size_t levels : {1, 2, 3, 5, 16, 17, 255, 256}) {
      SCOPED_TRACE(std::to_string(levels) +
                   (scope == CodebookScope::Layer ? " of the layer" : " per channel"));
      Conv2d grouped = conv3x3(6, make.codebook(scope, levels, 6, 9 * 17));
      Conv2d thin = conv3x3(34, make.codebook(scope, levels, 34, 9));
      thin.groups = 17;
      thin.bias = make.floats(34, -1, 1);
      const ModelSpec spec =
          SpecBuilder(7, 5, 2)
              .add("conv1", conv3x3(17, make.codebook(scope, levels, 17, 18)))
              .add("bn1", reference::batch_norm(17))
              .add("relu1", Relu{})
              .add("conv2", grouped, "relu1")
              .add("conv3", thin, "relu1")
              .join("both", {"conv2", "conv3"}, Concat{})
              .add("gap", GlobalAveragePool{})
              .add("fc", Linear{7, make.codebook(scope, levels, 7, 40), make.floats(7, -1, 1)})
              .spec();
      ASSERT_NO_FATAL_FAILURE(expect_oracle(spec));
    }
  }
}

/// Weights, activations and both sides with an offset; uniform and learned; with padding.
TEST(HandmadeModels, OffsetsOfEitherSideAndOfBoth) {
  SampleMaker make;
  for (const PlaneEncoding weights : {PlaneEncoding::Unsigned, PlaneEncoding::Bipolar}) {
    for (const PlaneEncoding activations : {PlaneEncoding::Unsigned, PlaneEncoding::Bipolar}) {
      for (std::size_t variant = 0; variant < 16; ++variant) {
        SCOPED_TRACE(variant);
        const bool learned_w = (variant & 1) != 0, learned_a = (variant & 2) != 0;
        PlaneWeights planes = make.planes(weights, 2, 9, 9 * 5);
        planes.basis =
            learned_w ? Basis(LearnedBasis{make.floats(18, -1, 1)}) : UniformBasis{make.floats(9, 0.1F, 1)};
        if ((variant & 4) != 0) planes.offset = make.floats(9, -1, 1);
        Quantize quantize = make.quantize(
            2, activations, learned_a ? Basis(LearnedBasis{{0.3F, 0.7F}}) : UniformBasis{{0.4F}});
        if ((variant & 8) != 0) quantize.offset = -0.3F;
        const ModelSpec spec = SpecBuilder(6, 7, 5)
                                   .add("quant", quantize)
                                   .add("conv", conv3x3(9, planes))
                                   .add("bn", reference::batch_norm(9))
                                   .spec();
        ASSERT_NO_FATAL_FAILURE(expect_oracle(spec));
      }
    }
  }
}

/// A padded pixel of -1/+1 activations is 0, which no code stands for: the border is corrected, at any
/// stride, dilation and padding.
TEST(HandmadeModels, BipolarActivationsAtTheBorder) {
  SampleMaker make;
  for (const PlaneEncoding encoding : {PlaneEncoding::Bipolar, PlaneEncoding::Unsigned}) {
    for (const std::size_t pad : {1, 2, 4}) {
      for (const std::size_t stride : {1, 2}) {
        SCOPED_TRACE(std::to_string(pad) + ", stride " + std::to_string(stride));
        PlaneWeights planes = make.planes(encoding, 1, 10, 9 * 33);
        planes.basis = UniformBasis{make.floats(10, 0, 1)};
        Conv2d conv = conv3x3(10, planes);
        conv.pad_h = conv.pad_w = pad;
        conv.stride_h = conv.stride_w = stride;
        conv.dilation_h = 2;
        const ModelSpec spec = SpecBuilder(6, 5, 3)
                                   .add("conv1", conv3x3(33, FloatWeights{make.floats(33 * 27, -1, 1)}))
                                   .add("bn1", reference::batch_norm(33))
                                   .add("sign", make.quantize(1, PlaneEncoding::Bipolar, UniformBasis{{1}}))
                                   .add("conv2", conv)
                                   .add("bn2", reference::batch_norm(10))
                                   .spec();
        ASSERT_NO_FATAL_FAILURE(expect_oracle(spec));
      }
    }
  }
}

/// SLQ: 17 centroids are 16 planes of which one is set, or none; MLQ: 3 are 2 planes and an offset.
TEST(HandmadeModels, OneHotPlanes) {
  SampleMaker make;
  for (const std::size_t planes : {2, 4, 8, 15, 16}) {
    for (const bool offset : {false, true}) {
      SCOPED_TRACE(planes);
      const std::size_t k = 9 * 6, rows = 7;
      PlaneWeights weights;
      weights.encoding = PlaneEncoding::Unsigned;
      weights.planes = {planes, rows, k, std::vector<std::uint64_t>(planes * rows)};
      for (std::size_t e = 0; e < rows * k; ++e) {
        const std::size_t centroid = (e * 2654435761U >> 9) % (planes + 1);
        if (centroid < planes) weights.planes.words[centroid * rows + e / k] |= std::uint64_t{1} << (e % k);
      }
      const std::vector<float> centroids = make.floats(planes, -1, 1);
      LearnedBasis basis;
      for (const float c : centroids) basis.values.insert(basis.values.end(), rows, c);
      weights.basis = basis;
      if (offset) weights.offset.assign(rows, -0.2F);
      for (const std::size_t bits : {2, 8}) {
        const ModelSpec spec =
            SpecBuilder(5, 5, 6)
                .add("quant", make.quantize(bits, PlaneEncoding::Unsigned, UniformBasis{{0.01F}}))
                .add("conv", conv3x3(rows, weights))
                .add("bn", reference::batch_norm(rows))
                .spec();
        ASSERT_NO_FATAL_FAILURE(expect_oracle(spec));
      }
    }
  }
}

/// GDRQ: one scale for each group of filters. Nothing of it is left behind lowering: as many steps as with
/// one scale for the layer, and the scale is in the affine alone.
TEST(HandmadeModels, ScalesOfGroupsOfFiltersFoldIntoTheAffine) {
  SampleMaker make;
  const auto spec_with = [&](const std::vector<float>& scale) {
    PlaneWeights planes = SampleMaker().planes(PlaneEncoding::TwosComplement, 2, 16, 9 * 8);
    planes.basis = UniformBasis{scale};
    return SpecBuilder(6, 6, 8)
        .add("quant1", SampleMaker().quantize(2, PlaneEncoding::Unsigned, UniformBasis{{0.3F}}))
        .add("conv1", conv3x3(16, planes))
        .add("bn1", reference::batch_norm(16))
        .add("relu1", Relu{})
        .add("quant2", SampleMaker().quantize(2, PlaneEncoding::Unsigned, UniformBasis{{0.3F}}))
        .add("conv2", reference::plane_conv(16, 4))
        .spec();
  };
  const ModelSpec layer = spec_with({0.25F});
  for (const std::size_t group : {1, 4, 16}) {
    SCOPED_TRACE(group);
    std::vector<float> scale;
    for (std::size_t c = 0; c < 16; ++c) scale.push_back(0.1F + 0.07F * static_cast<float>(c / group));
    const ModelSpec spec = spec_with(scale);
    const Program program = reference::lowered(spec);
    EXPECT_EQ(reference::plan_of(program), reference::plan_of(reference::lowered(layer)));
    EXPECT_EQ(reference::plan_of(program), "elementwise:planes conv:planes conv:float");
    const Stages& stages = program.steps[1].stages;
    EXPECT_TRUE(stages.affine && !stages.after && !stages.residual && stages.quantize);
    ASSERT_NO_FATAL_FAILURE(expect_oracle(spec));
  }
}

/// x >= t is x > nextafter(t, -inf): the picture holds the thresholds themselves.
TEST(HandmadeModels, ThresholdsOfAQuantizerDefinedWithAtLeast) {
  InputSpec input{1, 8, 1, {0.0F}, {1.0F}};
  std::vector<std::uint8_t> bytes{0, 63, 64, 65, 127, 128, 129, 255};
  const std::vector<float> x = reference::preprocess(input, bytes);
  Quantize at_least = reference::quantize();
  at_least.thresholds = {x[2], x[5], x[7]};
  for (float& t : at_least.thresholds) t = std::nextafter(t, -std::numeric_limits<float>::infinity());
  ModelSpec spec = SpecBuilder(1, 8, 1).add("quant", at_least).add("values", Dequantize{}).spec();
  spec.input = input;
  const Result<Model> model = Model::from_spec(spec);
  ASSERT_TRUE(model.ok()) << model.status().message();
  Result<Session> session = Session::create(model.value(), {.capture_codes = true});
  ASSERT_TRUE(session->run(bytes).ok());
  const auto codes = session->codes(0);
  EXPECT_EQ(std::vector<std::uint8_t>(codes.begin(), codes.end()),
            (std::vector<std::uint8_t>{0, 0, 1, 1, 1, 2, 2, 3}));
  ASSERT_NO_FATAL_FAILURE(expect_oracle(spec));
}

/// The sum is of pooled values: its quantizer cannot move in front of the pooling, the shortcut has no more
/// pixels than what it is added to.
TEST(HandmadeModels, APooledConvolutionInASum) {
  const ModelSpec spec =
      SpecBuilder(12, 10, 1)
          .add("conv", reference::float_conv(1, 8))
          .add("pool", reference::halve())
          .add("shortcut", ZeroChannelShortcut{2, 2, 0, 7, ShortcutSampling::Subsample}, "input")
          .join("sum", {"pool", "shortcut"}, Add{})
          .add("quant", reference::quantize())
          .add("last", reference::plane_conv(8, 3))
          .spec();
  ASSERT_NO_FATAL_FAILURE(expect_oracle(spec));
  EXPECT_EQ(reference::plan_of(reference::lowered(spec)),
            "conv:float pool:float shortcut:float elementwise:planes conv:float");
}

/// Levels that no value takes (TSQ of 3 bits and more), channels that fall or are constant, with and without
/// a pooling on ranks; one bit (compared as integers) and more.
TEST(HandmadeModels, EqualThresholdsAndFallingAndConstantChannels) {
  for (const std::size_t bits : {1, 2, 3}) {
    for (const bool pooled : {false, true}) {
      SCOPED_TRACE(std::to_string(bits) + (pooled ? " pooled" : ""));
      Quantize quantize = SampleMaker().quantize(bits, PlaneEncoding::Unsigned, UniformBasis{{0.3F}});
      for (std::size_t l = 0; l < quantize.thresholds.size(); ++l) {
        quantize.thresholds[l] = l < 3 ? 0.1F : 0.4F;
      }
      BatchNorm bn = reference::batch_norm(12);
      bn.gamma[4] = 0.0F;
      bn.gamma[5] = -0.0F;
      bn.gamma[7] = -3.0F;
      SpecBuilder net(6, 6, 4);
      net.add("quant1", reference::quantize()).add("conv1", reference::plane_conv(4, 12));
      if (pooled) net.add("pool", reference::halve());
      net.add("bn1", bn).add("quant2", quantize).add("conv2", reference::plane_conv(12, 3));
      ASSERT_NO_FATAL_FAILURE(expect_oracle(net.spec()));
    }
  }
}

/// Every encoding and basis; codes of several layouts: behind a convolution of groups, and flattened.
TEST(HandmadeModels, CodesReadAsValues) {
  struct Case {
    PlaneEncoding encoding;
    Basis basis;
    float offset;
  };
  const Case cases[] = {{PlaneEncoding::Unsigned, UniformBasis{{0.1F}}, 0.0F},
                        {PlaneEncoding::Unsigned, LearnedBasis{{0.3F, -0.1F, 0.55F}}, 0.0F},
                        {PlaneEncoding::TwosComplement, UniformBasis{{0.7F}}, 0.3F},
                        {PlaneEncoding::Bipolar, LearnedBasis{{0.3F, 0.1F, 0.55F}}, -0.25F},
                        {PlaneEncoding::Bipolar, UniformBasis{{0.1F}}, 0.0F},
                        {PlaneEncoding::Unsigned, UniformBasis{{0.0F}}, 0.0F}};
  for (const Case& c : cases) {
    for (const std::size_t channels : {3, 8, 33, 72}) {
      SCOPED_TRACE(channels);
      Quantize quantize = SampleMaker().quantize(3, c.encoding, c.basis);
      quantize.offset = c.offset;
      Conv2d grouped = conv3x3(channels, FloatWeights{});
      PlaneWeights planes = SampleMaker().planes(PlaneEncoding::Bipolar, 2, channels, 9);
      planes.basis = UniformBasis{{0.5F}};
      grouped.groups = channels;
      grouped.weights = planes;
      const ModelSpec spec = SpecBuilder(5, 4, channels)
                                 .add("quant", quantize)
                                 .add("conv", grouped)
                                 .add("values", Dequantize{}, "quant")
                                 .join("sum", {"conv", "values"}, Add{})
                                 .add("flat", Flatten{}, "quant")
                                 .add("flat_values", Dequantize{})
                                 .add("fc", reference::classifier(20 * channels, 6))
                                 .add("sum_flat", Flatten{}, "sum")
                                 .add("fc_sum", reference::classifier(20 * channels, 6))
                                 .join("output", {"fc", "fc_sum"}, Add{})
                                 .spec();
      ASSERT_NO_FATAL_FAILURE(expect_oracle(spec));
    }
  }
}

}  // namespace
}  // namespace bitplane::engine
