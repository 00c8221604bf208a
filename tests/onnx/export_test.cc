// SPDX-License-Identifier: Apache-2.0
//
// Model files as ONNX graphs: their form on random nets, and the arithmetic of the parts that are ours.
#include "engine/onnx/export.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cmath>
#include <limits>

#include "engine/onnx/levels.h"
#include "engine/onnx/wire.h"
#include "engine/reference/random_dag.h"
#include "engine/reference/specs.h"
#include "engine/sample_model.h"
#include "onnx/check_graph.h"

namespace bitplane::onnx::testing {
namespace {

ReadModel exported(const engine::ModelSpec& spec, Outputs outputs = Outputs::Result) {
  const auto result = export_onnx(spec, {.producer_version = "1.2.3", .outputs = outputs});
  if (!result.ok()) throw std::runtime_error(result.status().message());
  return read_onnx(result->file);
}

const ReadNode& node_of(const ReadModel& model, const std::string& name) {
  for (const ReadNode& node : model.nodes) {
    if (node.name == name) return node;
  }
  throw std::runtime_error("no node " + name);
}

TEST(OnnxWire, NumbersAndLengthsAreThoseOfTheFormat) {
  EXPECT_EQ(varint(0), std::string(1, '\0'));
  EXPECT_EQ(varint(127), "\x7F");
  EXPECT_EQ(varint(128), std::string("\x80\x01", 2));
  EXPECT_EQ(varint(300), "\xAC\x02");
  EXPECT_EQ(varint(std::numeric_limits<std::uint64_t>::max()), std::string(9, '\xFF') + "\x01");
  EXPECT_EQ(Message().number(1, 150).bytes(), "\x08\x96\x01");
  EXPECT_EQ(Message().number(1, -1).bytes(), "\x08" + std::string(9, '\xFF') + "\x01");
  EXPECT_EQ(Message().text(2, "testing").bytes(), "\x12\x07testing");
  EXPECT_EQ(Message().real(2, 1.0F).bytes(), std::string("\x15\x00\x00\x80\x3F", 5));
  EXPECT_EQ(Message().nested(3, Message().number(1, 150)).bytes(), "\x1A\x03\x08\x96\x01");
}

TEST(OnnxExport, RandomNetsAreSoundGraphs) {
  for (std::uint32_t seed = 7001; seed <= 7060; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const engine::ModelSpec spec = seed % 2 == 0 ? engine::reference::RandomDag(seed).make()
                                                 : engine::reference::RandomGraph(seed).make();
    ASSERT_NO_FATAL_FAILURE(expect_sound(exported(spec), spec));
    const ReadModel open = exported(spec, Outputs::ResultAndQuantizers);
    ASSERT_NO_FATAL_FAILURE(expect_ordered(open));
    for (const engine::Node& node : spec.nodes) {
      if (std::holds_alternative<engine::Quantize>(node.op)) {
        EXPECT_TRUE(open.outputs.contains(node.name)) << node.name;
      }
    }
  }
}

TEST(OnnxExport, LabelsAndProvenanceAreKept) {
  const engine::ModelSpec spec = engine::testing::sample_model();
  const ReadModel model = exported(spec);
  EXPECT_EQ(model.metadata.at("labels"),
            "shoe\n\xC3\xA9"
            "charpe\n");
  for (const auto& [key, value] : spec.provenance) EXPECT_EQ(model.metadata.at("provenance." + key), value);
  EXPECT_EQ(model.producer_version, "1.2.3");
}

TEST(OnnxExport, WeightsAreTheirLevelsWithChannelsFirst) {
  const engine::ModelSpec spec = engine::testing::sample_model();
  const ReadModel model = exported(spec);
  for (const engine::Node& node : spec.nodes) {
    const auto* conv = std::get_if<engine::Conv2d>(&node.op);
    const auto* planes = conv == nullptr ? nullptr : std::get_if<engine::PlaneWeights>(&conv->weights);
    if (planes == nullptr) continue;
    const ReadTensor& weight = model.initializers.at(node_of(model, node.name).inputs[1]);
    const std::size_t pixels = conv->kernel_h * conv->kernel_w, channels = planes->planes.k / pixels;
    ASSERT_EQ(weight.dims, (std::vector{conv->out_channels, channels, conv->kernel_h, conv->kernel_w}));
    for (std::size_t o = 0; o < conv->out_channels; ++o) {
      for (std::size_t e = 0; e < planes->planes.k; ++e) {
        double expected = planes->offset.empty() ? 0.0 : static_cast<double>(planes->offset[o]);
        for (std::size_t p = 0; p < planes->planes.planes; ++p) {
          const std::size_t row = p * planes->planes.rows + o, words = (planes->planes.k + 63) / 64;
          const double bit = (planes->planes.words[row * words + e / 64] >> e % 64 & 1U) != 0 ? 1.0 : 0.0;
          double value = 0.0;
          if (const auto* learned = std::get_if<engine::LearnedBasis>(&planes->basis)) {
            value = static_cast<double>(learned->values[row]);
          } else {
            const auto& scale = std::get<engine::UniformBasis>(planes->basis).scale;
            value = static_cast<double>(scale[scale.size() == 1 ? 0 : o]) * std::pow(2.0, p);
            if (planes->encoding == engine::PlaneEncoding::TwosComplement && p + 1 == planes->planes.planes)
              value = -value;
          }
          expected += value * (planes->encoding == engine::PlaneEncoding::Bipolar ? 2 * bit - 1 : bit);
        }
        const std::size_t c = e % channels, pixel = e / channels;
        EXPECT_EQ(weight.floats[(o * channels + c) * pixels + pixel], static_cast<float>(expected)) << e;
      }
    }
  }
}

/// The nodes of a graph of scalars: what a quantizer consists of.
std::map<std::string, double> evaluate_scalars(const ReadModel& model, const std::string& input, float x) {
  std::map<std::string, double> values{{input, static_cast<double>(x)}};
  for (const auto& [name, tensor] : model.initializers) {
    if (tensor.dims.empty() && !tensor.floats.empty()) values[name] = static_cast<double>(tensor.floats[0]);
  }
  for (const ReadNode& node : model.nodes) {
    const auto in = [&](std::size_t i) { return values.at(node.inputs[i]); };
    if (node.type == "Greater") {
      values[node.name] = in(0) > in(1) ? 1.0 : 0.0;
    } else if (node.type == "Where") {
      values[node.name] = in(0) != 0.0 ? in(1) : in(2);
    } else if (node.type == "Cast") {
      values[node.name] = in(0);
    } else if (node.type == "Add" && node.name != input) {
      values[node.name] = in(0) + in(1);
    } else if (node.type == "Gather") {
      const auto& table = model.initializers.at(node.inputs[0]).floats;
      values[node.name] = static_cast<double>(table.at(static_cast<std::size_t>(in(1))));
    }
  }
  return values;
}

TEST(OnnxExport, QuantizersHaveExactlyTheModelsThresholdsAndLevels) {
  for (std::size_t bits = 1; bits <= 8; ++bits) {
    SCOPED_TRACE(bits);
    engine::testing::SampleMaker make;
    engine::ModelSpec spec;
    spec.input = {1, 1, 1, {0.0F}, {1.0F}};
    engine::Quantize quantize =
        make.quantize(bits, engine::PlaneEncoding::Unsigned, engine::LearnedBasis{make.floats(bits, -1, 1)});
    quantize.offset = 0.125F;
    if (bits > 1) quantize.thresholds[1] = quantize.thresholds[0];  // a level that no input has
    engine::testing::append(spec, "q", quantize);
    engine::PlaneWeights one = make.planes(engine::PlaneEncoding::Bipolar, 1, 1, 1);
    one.basis = engine::UniformBasis{{1.0F}};
    engine::testing::append(spec, "fc", engine::Linear{1, one, {}});
    const auto result = export_onnx(spec, {.producer_version = {}, .outputs = Outputs::ResultAndQuantizers});
    ASSERT_TRUE(result.ok());
    ASSERT_EQ(result->quantizers.size(), 1U);
    ReadModel model = read_onnx(result->file);
    const std::string input = result->quantizers[0].input;
    std::erase_if(model.nodes, [&](const ReadNode& node) { return node.name.starts_with("input"); });
    for (const float t : quantize.thresholds) {
      for (const float x : {std::nextafter(t, -1e9F), t, std::nextafter(t, 1e9F), t - 100.0F, t + 100.0F}) {
        const auto rank = static_cast<std::size_t>(std::count_if(
            quantize.thresholds.begin(), quantize.thresholds.end(), [&](float l) { return x > l; }));
        const float expected = levels_by_code(quantize)[quantize.code_of_rank[rank]];
        EXPECT_EQ(static_cast<float>(evaluate_scalars(model, input, x).at("q")), expected) << x;
      }
    }
  }
}

/// A convolution in front, so that shapes are of maps.
engine::reference::SpecBuilder two_channels(std::size_t size) {
  engine::reference::SpecBuilder builder(size, size, 1);
  builder.add("conv", engine::reference::float_conv(1, 2));
  return builder;
}

TEST(OnnxExport, WindowsThatRoundUpArePaddedBehind) {
  const auto pool =
      two_channels(7)
          .add("pool", engine::MaxPool{.kernel_h = 2, .kernel_w = 3, .rounding = engine::PoolRounding::Ceil})
          .add("gap", engine::GlobalAveragePool{});
  const ReadNode node = node_of(exported(pool.spec()), "pool");
  EXPECT_EQ(node.attributes.at("pads").integers, (std::vector<std::int64_t>{0, 0, 1, 0}));
  EXPECT_FALSE(node.attributes.contains("ceil_mode"));
}

TEST(OnnxExport, AveragesThatCountPaddingCountNoMoreThanIt) {
  engine::AveragePool pool{.kernel_h = 3,
                           .kernel_w = 3,
                           .pad_h = 1,
                           .pad_w = 1,
                           .rounding = engine::PoolRounding::Ceil,
                           .divisor = engine::AverageDivisor::Padded};
  const engine::GlobalAveragePool gap;
  const ReadModel whole = exported(two_channels(5).add("pool", pool).add("gap", gap).spec());
  const ReadNode node = node_of(whole, "pool");
  EXPECT_EQ(node.attributes.at("pads").integers, (std::vector<std::int64_t>{1, 1, 1, 1}));
  EXPECT_EQ(node.attributes.at("count_include_pad").integer, 1);
  // 6 pixels: the last of 4 windows begins at the last pixel and has 2 of 3 positions in the padded picture.
  const ReadModel cut = exported(two_channels(6).add("pool", pool).add("gap", gap).spec());
  const ReadNode factor = node_of(cut, "pool");
  ASSERT_EQ(factor.type, "Mul");
  EXPECT_EQ(node_of(cut, factor.inputs[0]).attributes.at("pads").integers,
            (std::vector<std::int64_t>{1, 1, 2, 2}));
  const ReadTensor& factors = cut.initializers.at(factor.inputs[1]);
  ASSERT_EQ(factors.dims, (std::vector<std::size_t>{1, 1, 4, 4}));
  EXPECT_EQ(factors.floats[0], 1.0F);
  EXPECT_EQ(factors.floats[3], 1.5F);
  EXPECT_EQ(factors.floats[15], 2.25F);
}

TEST(OnnxExport, NamesOfTheModelAreNeverTakenByHelpers) {
  const auto builder = two_channels(4)
                           .add("conv/weight", engine::Relu{})
                           .add("input/preprocessed", engine::Relu{})
                           .add("fc", engine::GlobalAveragePool{});
  expect_sound(exported(builder.spec()), builder.spec());
}

TEST(OnnxExport, AModelWithoutANameIsAGraphWithOne) {
  engine::ModelSpec spec = two_channels(4).spec();
  spec.name.clear();
  expect_sound(exported(spec), spec);
}

TEST(OnnxExport, ResultsAreInTheModelsOrder) {
  using Outputs = std::map<std::string, ReadShape>;
  const auto map = two_channels(4);
  EXPECT_EQ(exported(map.spec()).outputs, (Outputs{{"conv", {"batch", "4", "4", "2"}}}));
  // Of one pixel: what is a map in the graph becomes [batch][channels].
  const auto pixel = two_channels(4).add("pool", engine::GlobalAveragePool{});
  EXPECT_EQ(exported(pixel.spec()).outputs, (Outputs{{"pool", {"batch", "2"}}}));
  const auto classes =
      two_channels(4).add("flat", engine::Flatten{}).add("fc", engine::reference::classifier(32, 3));
  EXPECT_EQ(exported(classes.spec()).outputs, (Outputs{{"fc", {"batch", "3"}}}));
}

std::size_t peak_bytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
}

// 64 MiB of bits are 2 GiB of floats.
TEST(OnnxExport, WhatOneFileCannotHoldIsRefusedBeforeItIsMultipliedOut) {
  constexpr std::size_t kFeatures = 128 * 128, kClasses = 2 * kFeatures;
  const engine::CodebookWeights weights{{1, kClasses, kFeatures, std::vector<std::uint64_t>(kClasses * 256)},
                                        engine::CodebookScope::Layer,
                                        {-1.0F, 1.0F}};
  const auto spec = engine::reference::SpecBuilder(128, 128, 1)
                        .add("flat", engine::Flatten{})
                        .add("fc", engine::Linear{kClasses, weights, {}})
                        .spec();
  const std::size_t before = peak_bytes();
  const auto result = export_onnx(spec, {});
  EXPECT_LT(peak_bytes() - before, std::size_t{1} << 28);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.status().code(), engine::StatusCode::Unsupported) << result.status().message();
  EXPECT_NE(result.status().message().find("2147483648 bytes"), std::string::npos)
      << result.status().message();
}

TEST(OnnxExport, WhatIsNoModelIsRefused) {
  EXPECT_FALSE(export_onnx(engine::ModelSpec{}, {}).ok());
}

}  // namespace
}  // namespace bitplane::onnx::testing
