// SPDX-License-Identifier: Apache-2.0
//
// validate() against hand-made specs, each wrong in one way: the reason must name the node and what was
// wrong.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "bitplane/model_spec.h"
#include "engine/sample_model.h"
#include "engine/wrong_specs.h"
#include "model/limits.h"
#include "model/op_list.h"

namespace bitplane::engine {
namespace {

using testing::append;
using testing::op_of;
using testing::planes_of;
using testing::sample_model;
using testing::SampleMaker;
using testing::Wrong;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

void expect_refused(const std::vector<Wrong>& wrongs) {
  testing::expect_refused(sample_model(), wrongs);
}

Conv2d& first(ModelSpec& s) {
  return op_of<Conv2d>(s, "block1.conv");
}
Conv2d& second(ModelSpec& s) {
  return op_of<Conv2d>(s, "block2.conv");
}
Quantize& quantizer(ModelSpec& s) {
  return op_of<Quantize>(s, "block1.quantize");
}
BatchNorm& batch_norm(ModelSpec& s) {
  return op_of<BatchNorm>(s, "block1.bn");
}

TEST(Validate, ReturnsTheShapeOfEveryNode) {
  const Result<std::vector<NodeShape>> shapes = validate(sample_model());
  ASSERT_TRUE(shapes.ok()) << shapes.status().message();
  const std::vector<NodeShape> expected = {{6, 5, 4},  {6, 5, 4}, {6, 5, 4}, {6, 5, 4}, {6, 5, 6},
                                           {3, 3, 6},  {3, 3, 6}, {3, 3, 6}, {3, 3, 6}, {3, 3, 6},
                                           {1, 1, 54}, {1, 1, 5}, {1, 1, 5}, {1, 1, 3}};
  EXPECT_EQ(shapes.value(), expected);
}

TEST(Validate, TheListNamesEveryOperationOnce) {
  for (const OpInfo& op : kOps) {
    EXPECT_EQ(find_op(op.name), &op);
    EXPECT_EQ(&op_info(op.make()), &op) << op.name;
  }
  EXPECT_EQ(find_op("tanh"), nullptr);
}

TEST(Validate, Names) {
  expect_refused({
      {"the model has no nodes", [](ModelSpec& s) { s.nodes.clear(); }},
      {"node 2 has no name", [](ModelSpec& s) { s.nodes[2].name.clear(); }},
      {"'block1.bn' stands twice", [](ModelSpec& s) { s.nodes[2].name = "block1.bn"; }},
      {"'input' is reserved", [](ModelSpec& s) { s.nodes[0].name = "input"; }},
      {"'golden' is reserved", [](ModelSpec& s) { s.nodes[0].name = "golden"; }},
      {"'a?b' holds control characters",
       [](ModelSpec& s) {
         s.nodes[0].name =
             "a\x1b"
             "b";
       }},
      {"has 257 bytes; allowed are 256", [](ModelSpec& s) { s.nodes[0].name = std::string(257, 'n'); }},
      {"model name 'a?b' holds control", [](ModelSpec& s) { s.name = "a\nb"; }},
      {"label 'a?b' holds control",
       [](ModelSpec& s) {
         s.labels[1] =
             "a\x7f"
             "b";
       }},
      {"2 labels; the output has 3 values", [](ModelSpec& s) { s.labels.pop_back(); }},
      {"provenance ''", [](ModelSpec& s) { s.provenance[""] = "x"; }},
      {"provenance 'note'", [](ModelSpec& s) { s.provenance["note"] = "x\ny"; }},
  });
}

TEST(Validate, References) {
  expect_refused({
      {"node 'block1.bn' (batch_norm): its input 'x' does not exist",
       [](ModelSpec& s) { s.nodes[1].inputs = {"x"}; }},
      {"its input 'block1.bn' stands at or behind it",
       [](ModelSpec& s) { s.nodes[1].inputs = {"block1.bn"}; }},
      {"its input 'classifier' stands at or behind it",
       [](ModelSpec& s) { s.nodes[1].inputs = {"classifier"}; }},
      {"node 'block1.bn' (batch_norm): has 2 inputs; it must have 1",
       [](ModelSpec& s) {
         s.nodes[1].inputs = {"block1.conv", "block1.conv"};
       }},
      {"has 0 inputs", [](ModelSpec& s) { s.nodes[1].inputs.clear(); }},
      {"the output 'x' is no node", [](ModelSpec& s) { s.output = "x"; }},
      {"the output 'input' is no node", [](ModelSpec& s) { s.output = "input"; }},
      {"node 'classifier' is used by nothing",
       [](ModelSpec& s) {
         s.output = "average";
         s.labels.clear();
         s.golden = {};
       }},
      {"the output 'flatten' holds the codes",
       [](ModelSpec& s) {
         s.nodes.resize(11);
         s.output = "flatten";
       },
       StatusCode::Unsupported},
  });
}

TEST(Validate, Input) {
  expect_refused({
      {"input height is 0; allowed are 1 to 1048576", [](ModelSpec& s) { s.input.height = 0; }},
      {"input width is 1048577", [](ModelSpec& s) { s.input.width = (std::size_t{1} << 20) + 1; }},
      {"input channels is 18446744073709551615", [](ModelSpec& s) { s.input.channels = ~std::size_t{0}; }},
      {"elements; allowed are 268435456",
       [](ModelSpec& s) { s.input.height = s.input.width = std::size_t{1} << 20; }},
      {"input: mean has 2 elements; it must have 3", [](ModelSpec& s) { s.input.mean.pop_back(); }},
      {"input: std has 0 elements", [](ModelSpec& s) { s.input.std.clear(); }},
      {"input: mean[1] is nan", [](ModelSpec& s) { s.input.mean[1] = kNan; }},
      {"std[0] is 0", [](ModelSpec& s) { s.input.std[0] = 0; }},
      {"std[2] is -1", [](ModelSpec& s) { s.input.std[2] = -1; }},
      {"std[2] is 1e-45", [](ModelSpec& s) { s.input.std[2] = 1e-45F; }},
      {"golden input has 89 elements; it must have 90", [](ModelSpec& s) { s.golden.input.pop_back(); }},
      {"golden output has 0 elements", [](ModelSpec& s) { s.golden.output.clear(); }},
      {"golden output[2] is inf", [](ModelSpec& s) { s.golden.output[2] = kInf; }},
  });
}

TEST(Validate, ConvolutionGeometry) {
  constexpr std::size_t kHuge = ~std::size_t{0};
  expect_refused({
      {"node 'block1.conv' (conv2d): out_channels is 0", [](ModelSpec& s) { first(s).out_channels = 0; }},
      {"out_channels is 18446744073709551615", [](ModelSpec& s) { first(s).out_channels = kHuge; }},
      {"kernel height is 0", [](ModelSpec& s) { first(s).kernel_h = 0; }},
      {"kernel width is 18446744073709551615", [](ModelSpec& s) { first(s).kernel_w = kHuge; }},
      {"stride height is 0", [](ModelSpec& s) { first(s).stride_h = 0; }},
      {"padding width is 18446744073709551615", [](ModelSpec& s) { first(s).pad_w = kHuge; }},
      {"dilation height is 0", [](ModelSpec& s) { first(s).dilation_h = 0; }},
      {"groups is 0; allowed are 1 to 3", [](ModelSpec& s) { first(s).groups = 0; }},
      {"groups is 4; allowed are 1 to 3", [](ModelSpec& s) { first(s).groups = 4; }},
      {"2 groups do not divide 3 input channels", [](ModelSpec& s) { first(s).groups = 2; }},
      {"3 groups do not divide 3 input channels and 4 output", [](ModelSpec& s) { first(s).groups = 3; }},
      {"window of 9x3 (dilated) is larger than the padded input of 6x5x3",
       [](ModelSpec& s) { first(s).dilation_h = 4; }},
      {"output of 1048576x1048576x4 has",
       [](ModelSpec& s) {
         first(s).pad_h = (std::size_t{1} << 19) - 2, first(s).pad_w = (std::size_t{1} << 19) - 2;
         first(s).kernel_h = 3;
         first(s).kernel_w = 2;
       }},
      {"elements of a filter (k) is",
       [](ModelSpec& s) {
         first(s).pad_h = first(s).pad_w = std::size_t{1} << 19;
         first(s).kernel_h = first(s).kernel_w = std::size_t{1} << 20;
       }},
      {"padded input of 262150x1029x3 has 809257050 elements; allowed are 268435456",  // an output of few
                                                                                       // pixels
       [](ModelSpec& s) {
         first(s).pad_h = std::size_t{1} << 17, first(s).pad_w = std::size_t{1} << 9;
         first(s).stride_h = first(s).stride_w = std::size_t{1} << 20;
       }},
      {"weight has 108 elements; it must have 36", [](ModelSpec& s) { first(s).kernel_h = 1; }},
      {"weight[0] is nan", [](ModelSpec& s) { std::get<FloatWeights>(first(s).weights).values[0] = kNan; }},
      {"bias has 3 elements; it must have 4", [](ModelSpec& s) { first(s).bias.pop_back(); }},
      {"bias[3] is -inf", [](ModelSpec& s) { first(s).bias[3] = -kInf; }},
      {"node 'classifier' (linear): out_features is 0",
       [](ModelSpec& s) { op_of<Linear>(s, "classifier").out_features = 0; }},
      {"node 'linear' (linear): its input is 3x3x6; it must be 1x1xfeatures",
       [](ModelSpec& s) { testing::node_of(s, "linear").inputs = {"quantize3"}; }},
  });
}

TEST(Validate, PlaneWeights) {
  expect_refused({
      {"planes of the weights is 0; allowed are 1 to 16",
       [](ModelSpec& s) { planes_of(second(s)).planes.planes = 0; }},
      {"planes of the weights is 17", [](ModelSpec& s) { planes_of(second(s)).planes.planes = 17; }},
      {"has 5 rows; it must have 6", [](ModelSpec& s) { planes_of(second(s)).planes.rows = 5; }},
      {"has k = 35; kernel and input channels make it 36",
       [](ModelSpec& s) { planes_of(second(s)).planes.k = 35; }},
      {"(64-bit words) has 11 elements; it must have 12",
       [](ModelSpec& s) { planes_of(second(s)).planes.words.own().pop_back(); }},
      {"plane 1, row 2 has bits beyond k = 36",
       [](ModelSpec& s) { planes_of(second(s)).planes.words[8] |= std::uint64_t{1} << 36; }},
      {"plane 0, row 0 has bits beyond k = 36",
       [](ModelSpec& s) { planes_of(second(s)).planes.words[0] |= std::uint64_t{1} << 63; }},
      {"twos_complement with a learned basis",
       [](ModelSpec& s) { planes_of(second(s)).encoding = PlaneEncoding::TwosComplement; }},
      {"learned basis has 6 elements; it must have 12",
       [](ModelSpec& s) { std::get<LearnedBasis>(planes_of(second(s)).basis).values.resize(6); }},
      {"learned basis[0] is inf",
       [](ModelSpec& s) { std::get<LearnedBasis>(planes_of(second(s)).basis).values[0] = kInf; }},
      {"scale has 2 elements; it must have 6",
       [](ModelSpec& s) {
         planes_of(second(s)).basis = UniformBasis{{1, 1}};
       }},
      {"scale has 0 elements", [](ModelSpec& s) { planes_of(second(s)).basis = UniformBasis{}; }},
      {"scale[0] is -1; it must not be negative",
       [](ModelSpec& s) { planes_of(second(s)).basis = UniformBasis{{-1}}; }},
      {"scale[0] is nan", [](ModelSpec& s) { planes_of(second(s)).basis = UniformBasis{{kNan}}; }},
      {"weight_offset has 1 elements", [](ModelSpec& s) { planes_of(second(s)).offset = {1}; }},
      {"offset[5] is nan", [](ModelSpec& s) { planes_of(second(s)).offset = {0, 0, 0, 0, 0, kNan}; }},
      {"their quotient must be finite",
       [](ModelSpec& s) {
         planes_of(second(s)).basis = UniformBasis{{1, 1, 0, 1, 1, 1}};
         planes_of(second(s)).offset = {0, 0, 0, 0, 0, 0};
       }},
      {"their quotient must be finite",
       [](ModelSpec& s) {
         planes_of(second(s)).basis = UniformBasis{{1e-30F}};
         planes_of(second(s)).offset = {1e30F, 0, 0, 0, 0, 0};
       }},
  });
}

TEST(Validate, CodesGoToPlaneWeightsAndNowhereElse) {
  const StatusCode unsupported = StatusCode::Unsupported;
  expect_refused({
      {"node 'block2.conv' (conv2d): plane weights need codes",
       [](ModelSpec& s) { testing::node_of(s, "block2.conv").inputs = {"block1.relu"}; }, unsupported},
      {"node 'block2.conv' (conv2d): float weights and codebooks take floats",
       [](ModelSpec& s) { second(s).weights = FloatWeights{std::vector<float>(6 * 36)}; }, unsupported},
      {"node 'linear' (linear): float weights and codebooks take floats",
       [](ModelSpec& s) { op_of<Linear>(s, "linear").weights = FloatWeights{std::vector<float>(5 * 54)}; },
       unsupported},
  });
  const std::vector<Operation> float_only = {
      BatchNorm{{0, 0, 0, 0}, {1, 1, 1, 1}, {}, {}}, Relu{}, MaxPool{}, GlobalAveragePool{},
      SampleMaker().quantize(1, PlaneEncoding::Unsigned, UniformBasis{{1}})};
  for (const Operation& op : float_only) {
    ModelSpec spec = sample_model();
    spec.nodes.resize(4);  // up to the first quantizer
    append(spec, "extra", op);
    const Result<std::vector<NodeShape>> shapes = validate(spec);
    ASSERT_FALSE(shapes.ok());
    EXPECT_EQ(shapes.status().code(), unsupported);
    EXPECT_NE(shapes.status().message().find("node 'extra'"), std::string::npos);
    EXPECT_NE(shapes.status().message().find("codes of a quantize node"), std::string::npos);
  }
}

TEST(Validate, Quantizers) {
  expect_refused({
      {"node 'block1.quantize' (quantize): bits is 0; allowed are 1 to 8",
       [](ModelSpec& s) { quantizer(s).bits = 0; }},
      {"bits is 9", [](ModelSpec& s) { quantizer(s).bits = 9; }},
      {"learned basis has 3 elements; it must have 2",
       [](ModelSpec& s) { std::get<LearnedBasis>(quantizer(s).basis).values.push_back(1); }},
      {"scale has 2 elements; it must have 1",
       [](ModelSpec& s) {
         quantizer(s).basis = UniformBasis{{1, 1}};
       }},
      {"twos_complement with a learned",
       [](ModelSpec& s) { quantizer(s).encoding = PlaneEncoding::TwosComplement; }},
      {"offset[0] is nan", [](ModelSpec& s) { quantizer(s).offset = kNan; }},
      {"quotient must be finite",
       [](ModelSpec& s) { quantizer(s).offset = 1, quantizer(s).basis = UniformBasis{{0}}; }},
      {"thresholds has 2 elements; it must have 3", [](ModelSpec& s) { quantizer(s).thresholds.pop_back(); }},
      {"thresholds[2] is inf", [](ModelSpec& s) { quantizer(s).thresholds[2] = kInf; }},
      {"thresholds[1] is 0, below the one before it", [](ModelSpec& s) { quantizer(s).thresholds[1] = 0; }},
      {"code_of_rank has 5 elements", [](ModelSpec& s) { quantizer(s).code_of_rank.push_back(0); }},
      {"code_of_rank holds 3 twice; it must be a permutation of 0 to 3",
       [](ModelSpec& s) { quantizer(s).code_of_rank[1] = 3; }},
      {"code_of_rank holds 4;", [](ModelSpec& s) { quantizer(s).code_of_rank[1] = 4; }},
  });
  ModelSpec spec = sample_model();
  quantizer(spec).basis = UniformBasis{{0}};        // a dead layer: every code means 0
  quantizer(spec).thresholds = {0.5F, 0.5F, 0.5F};  // levels that coincide
  EXPECT_TRUE(validate(spec).ok()) << validate(spec).status().message();
}

TEST(Validate, BatchNormAndPooling) {
  expect_refused({
      {"node 'block1.bn' (batch_norm): mean has 3 elements; it must have 4",
       [](ModelSpec& s) { batch_norm(s).mean.pop_back(); }},
      {"var has 0 elements", [](ModelSpec& s) { batch_norm(s).var.clear(); }},
      {"gamma has 5 elements", [](ModelSpec& s) { batch_norm(s).gamma.push_back(1); }},
      {"beta has 5 elements", [](ModelSpec& s) { batch_norm(s).beta.push_back(1); }},
      {"var[0] is -1", [](ModelSpec& s) { batch_norm(s).var[0] = -1; }},
      {"gamma[0] is nan", [](ModelSpec& s) { batch_norm(s).gamma[0] = kNan; }},
      {"epsilon[0] is -1", [](ModelSpec& s) { batch_norm(s).epsilon = -1; }},
      {"var[3] and epsilon are both 0",
       [](ModelSpec& s) { batch_norm(s).epsilon = 0, batch_norm(s).var[3] = 0; }},
      {"node 'block2.pool' (max_pool): kernel height is 0",
       [](ModelSpec& s) { op_of<MaxPool>(s, "block2.pool").kernel_h = 0; }},
      {"stride width is 0", [](ModelSpec& s) { op_of<MaxPool>(s, "block2.pool").stride_w = 0; }},
      {"padding height is 2; allowed are 0 to 1",
       [](ModelSpec& s) { op_of<MaxPool>(s, "block2.pool").pad_h = 2; }},
      {"window of 7x2 is larger than the padded input of 6x5x6",
       [](ModelSpec& s) { op_of<MaxPool>(s, "block2.pool").kernel_h = 7; }},
  });
}

/// One axis of a pool, by hand: how many windows of which each begins inside the picture.
TEST(Validate, PoolingSizesOfBothRoundings) {
  struct Case {
    std::size_t size, kernel, stride, pad, floor, ceil;
  };
  const Case cases[] = {{4, 2, 2, 0, 2, 2}, {5, 2, 2, 0, 2, 3}, {5, 3, 2, 1, 3, 3}, {6, 3, 2, 1, 3, 4},
                        {5, 1, 3, 0, 2, 2}, {1, 1, 1, 0, 1, 1}, {4, 2, 2, 1, 3, 3}, {32, 3, 2, 0, 15, 16}};
  for (const Case& c : cases) {
    SCOPED_TRACE(::testing::Message()
                 << c.size << " kernel " << c.kernel << " stride " << c.stride << " pad " << c.pad);
    for (const PoolRounding rounding : {PoolRounding::Floor, PoolRounding::Ceil}) {
      ModelSpec spec;
      spec.input = {c.size, 1, 1, {0}, {1}};
      append(spec, "pool", MaxPool{c.kernel, 1, c.stride, 1, c.pad, 0, rounding});
      const Result<std::vector<NodeShape>> shapes = validate(spec);
      ASSERT_TRUE(shapes.ok()) << shapes.status().message();
      EXPECT_EQ(shapes.value()[0].height, rounding == PoolRounding::Floor ? c.floor : c.ceil);
    }
  }
}

/// A linear layer of k elements behind an 8-bit quantizer.
ModelSpec wide_linear(std::size_t k, std::size_t weight_planes, Basis weights, Basis activations) {
  ModelSpec spec;
  spec.input = {1, 1, k, std::vector<float>(k), std::vector<float>(k, 1.0F)};
  SampleMaker make;
  append(spec, "quantize", make.quantize(8, PlaneEncoding::Unsigned, std::move(activations)));
  PlaneWeights w = make.planes(PlaneEncoding::Unsigned, weight_planes, 1, k);
  w.basis = std::move(weights);
  append(spec, "linear", Linear{1, std::move(w), {}});
  return spec;
}

TEST(Validate, IntegerSumsStayBelow2To31) {
  const Basis uniform = UniformBasis{{1.0F}};
  const Basis learned8 = LearnedBasis{std::vector<float>(8, 1.0F)},
              learned16 = LearnedBasis{std::vector<float>(16, 1.0F)};
  // 16 and 8 bits: 65535 * 255 = 16711425 per element, and 128 * 16711425 = 2139062400 < 2^31 <= 129 *
  // 16711425.
  EXPECT_TRUE(validate(wide_linear(128, 16, uniform, uniform)).ok());
  const Result<std::vector<NodeShape>> over = validate(wide_linear(129, 16, uniform, uniform));
  ASSERT_FALSE(over.ok());
  EXPECT_EQ(
      over.status().message(),
      "node 'linear' (linear): integer sums could reach 129 * 65535 * 255 (k times the largest codes); they "
      "must stay below 2^31: use fewer bits or a smaller k");
  // With one learned side only the other one is summed in integers: 32768 * 65535 < 2^31 <= 32769 * 65535.
  EXPECT_TRUE(validate(wide_linear(32768, 16, uniform, learned8)).ok());
  EXPECT_FALSE(validate(wide_linear(32769, 16, uniform, learned8)).ok());
  EXPECT_TRUE(validate(wide_linear(32769, 16, learned16, uniform)).ok());
  EXPECT_TRUE(validate(wide_linear(32769, 16, learned16, learned8)).ok());
}

TEST(Validate, FlattenAndNodeCountHaveLimits) {
  ModelSpec spec;
  spec.input = {2048, 1024, 1, {0}, {1}};
  append(spec, "flatten", Flatten{});
  EXPECT_NE(validate(spec).status().message().find("output channels is 2097152"), std::string::npos);

  ModelSpec many;
  many.input = {1, 1, 1, {0}, {1}};
  for (std::size_t i = 0; i < kMaxNodes; ++i) append(many, "n" + std::to_string(i), Relu{});
  EXPECT_TRUE(validate(many).ok());
  append(many, "one more", Relu{});
  EXPECT_NE(validate(many).status().message().find("65537 nodes; allowed are 65536"), std::string::npos);
}

}  // namespace
}  // namespace bitplane::engine
