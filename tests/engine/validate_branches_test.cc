// SPDX-License-Identifier: Apache-2.0
//
// validate() on graphs with branches: good ones of every operation, and each wrong in one way.
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "bitplane/model_spec.h"
#include "engine/sample_model.h"
#include "engine/wrong_specs.h"

namespace bitplane::engine {
namespace {

using testing::expect_refused;
using testing::node_of;
using testing::op_of;
using testing::sample_branches;
using testing::Wrong;

CodebookWeights& book(ModelSpec& spec) {
  return std::get<CodebookWeights>(op_of<Conv2d>(spec, "book1").weights);
}

TEST(ValidateBranches, ShapesOfEveryOperation) {
  const Result<std::vector<NodeShape>> shapes = validate(sample_branches());
  ASSERT_TRUE(shapes.ok()) << shapes.status().message();
  const std::vector<NodeShape> expected = {
      {6, 5, 3},  {6, 5, 4},  {6, 5, 2},  {6, 5, 6}, {3, 3, 10}, {6, 5, 6}, {3, 3, 6}, {3, 3, 6}, {3, 3, 10},
      {3, 3, 10}, {3, 3, 10}, {3, 3, 10}, {3, 3, 7}, {3, 3, 4},  {3, 3, 4}, {1, 1, 4}, {1, 1, 4}};
  EXPECT_EQ(shapes.value(), expected);
}

/// A padded input of 2^64 bytes: its scratch would have none.
TEST(ValidateBranches, AConvolutionOfNothingButPadding) {
  constexpr std::size_t kMany = std::size_t{1} << 20;
  ModelSpec spec = sample_branches();
  spec.golden = {};
  spec.labels.clear();
  spec.input = {2, 2, 1, {0.5F}, {0.5F}};
  Conv2d conv{.out_channels = 1,
              .stride_h = kMany,
              .stride_w = kMany,
              .pad_h = kMany - 1,
              .pad_w = kMany - 1,
              .weights = FloatWeights{std::vector<float>(kMany, 1.0F)},
              .bias = {}};
  spec.nodes = {{"wide", {"input"}, ZeroChannelShortcut{1, 1, 0, kMany - 1, ShortcutSampling::Subsample}},
                {"conv", {"wide"}, std::move(conv)}};
  spec.output = "conv";
  const Result<std::vector<NodeShape>> shapes = validate(spec);
  ASSERT_FALSE(shapes.ok());
  EXPECT_NE(shapes.status().message().find("padded input of 2097152x2097152x1048576"), std::string::npos)
      << shapes.status().message();
}

TEST(ValidateBranches, RefusesInputsThatDoNotFit) {
  const Wrong wrongs[] = {
      {"node 'add' (add): its inputs are 3x3x10 and 6x5x6; both must have one shape",
       [](ModelSpec& s) { node_of(s, "add").inputs[1] = "concat"; }},
      {"node 'add' (add): has 1 inputs; it must have 2",
       [](ModelSpec& s) { node_of(s, "add").inputs.pop_back(); }},
      {"node 'add' (add): its input 'lrn' stands at or behind it",
       [](ModelSpec& s) { node_of(s, "add").inputs[1] = "lrn"; }},
      {"node 'add' (add): its input 'add' stands at or behind it",
       [](ModelSpec& s) { node_of(s, "add").inputs[0] = "add"; }},
      {"node 'concat' (concat): its input 'way3' does not exist",
       [](ModelSpec& s) { node_of(s, "concat").inputs.push_back("way3"); }},
      {"node 'concat' (concat): has 0 inputs; it must have 1 or more",
       [](ModelSpec& s) { node_of(s, "concat").inputs.clear(); }},
      {"node 'way2' is used by nothing",
       [](ModelSpec& s) {
         node_of(s, "concat").inputs = {"way1", "way1", "way1"};
         std::get<PlaneWeights>(op_of<Conv2d>(s, "branch").weights) =
             testing::SampleMaker().planes(PlaneEncoding::Bipolar, 2, 10, 12);
         std::get<PlaneWeights>(op_of<Conv2d>(s, "branch").weights).basis = UniformBasis{{1}};
         op_of<ZeroChannelShortcut>(s, "zeros").front = 0;
         op_of<ZeroChannelShortcut>(s, "zeros").back = 0;
         op_of<Conv2d>(s, "branch").out_channels = 12;
         book(s) = testing::SampleMaker().codebook(CodebookScope::Layer, 5, 7, 12);
         std::get<PlaneWeights>(op_of<Conv2d>(s, "branch").weights) =
             testing::SampleMaker().planes(PlaneEncoding::Bipolar, 2, 12, 12);
         std::get<PlaneWeights>(op_of<Conv2d>(s, "branch").weights).basis = UniformBasis{{1}};
       }},
  };
  expect_refused(sample_branches(), wrongs);
}

TEST(ValidateBranches, RefusesCodesWhereFloatsBelongAndFloatsForCodes) {
  const Wrong wrongs[] = {
      {"node 'concat' (concat): its input holds the codes",
       [](ModelSpec& s) { node_of(s, "concat").inputs[1] = "quantize"; }, StatusCode::Unsupported},
      {"node 'values' (dequantize): its input holds floats",
       [](ModelSpec& s) { node_of(s, "values").inputs = {"add"}; }},
      {"node 'gap' (global_average_pool): its input holds the codes of a quantize node; this operation takes "
       "floats: put a dequantize",
       [](ModelSpec& s) { node_of(s, "gap").inputs = {"quantize3"}; }, StatusCode::Unsupported},
      {"the output 'quantize3' holds the codes",
       [](ModelSpec& s) {
         s.nodes.resize(11);
         s.output = "quantize3";
       },
       StatusCode::Unsupported},
      {"node 'book1' (conv2d): float weights and codebooks take floats",
       [](ModelSpec& s) { node_of(s, "book1").inputs = {"quantize3"}; }, StatusCode::Unsupported},
      {"node 'softmax' (softmax): its input holds the codes",
       [](ModelSpec& s) {
         s.nodes.resize(1);
         s.nodes.push_back({"softmax", {"quantize"}, Softmax{}});
       },
       StatusCode::Unsupported},
  };
  expect_refused(sample_branches(), wrongs);
}

TEST(ValidateBranches, RefusesSizesAndFactorsOutOfBounds) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const Wrong wrongs[] = {
      {"zero channels in front is 1048577",
       [](ModelSpec& s) { op_of<ZeroChannelShortcut>(s, "zeros").front = (std::size_t{1} << 20) + 1; }},
      {"output channels is 1048585",
       [](ModelSpec& s) { op_of<ZeroChannelShortcut>(s, "zeros").front = std::size_t{1} << 20; }},
      {"stride height is 0", [](ModelSpec& s) { op_of<ZeroChannelShortcut>(s, "zeros").stride_h = 0; }},
      {"node 'average' (average_pool): kernel width is 0",
       [](ModelSpec& s) { op_of<AveragePool>(s, "average").kernel_w = 0; }},
      {"padding height is 2; allowed are 0 to 1",
       [](ModelSpec& s) { op_of<AveragePool>(s, "average").pad_h = 2; }},
      {"size is 4; it must be odd", [](ModelSpec& s) { op_of<LocalResponseNorm>(s, "lrn").size = 4; }},
      {"size is 0; allowed are 1", [](ModelSpec& s) { op_of<LocalResponseNorm>(s, "lrn").size = 0; }},
      {"alpha[0] is -1", [](ModelSpec& s) { op_of<LocalResponseNorm>(s, "lrn").alpha = -1.0F; }},
      {"beta[0] is nan", [=](ModelSpec& s) { op_of<LocalResponseNorm>(s, "lrn").beta = kNan; }},
      {"k is 0; it must be > 0", [](ModelSpec& s) { op_of<LocalResponseNorm>(s, "lrn").k = 0.0F; }},
  };
  expect_refused(sample_branches(), wrongs);
}

TEST(ValidateBranches, RefusesDamagedCodebooks) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const Wrong wrongs[] = {
      {"weight_planes has 6 rows; it must have 7", [](ModelSpec& s) { book(s).indices.rows = 6; }},
      {"weight_planes has k = 9; kernel and input channels make it 10",
       [](ModelSpec& s) { book(s).indices.k = 9; }},
      {"planes of the weights is 0", [](ModelSpec& s) { book(s).indices.planes = 0; }},
      {"weight_planes (64-bit words) has 20 elements; it must have 21",
       [](ModelSpec& s) { book(s).indices.words.own().pop_back(); }},
      {"plane 2, row 6 has bits beyond k = 10",
       [](ModelSpec& s) { book(s).indices.words.own().back() |= std::uint64_t{1} << 10; }},
      {"levels of the codebook is 0; allowed are 1 to 256", [](ModelSpec& s) { book(s).levels.clear(); }},
      {"levels of the codebook is 257; allowed are 1 to 256",
       [](ModelSpec& s) { book(s).levels.resize(257); }},
      {"weight_planes has 3 planes; 4 levels take 2", [](ModelSpec& s) { book(s).levels.resize(4); }},
      {"weight_planes has 3 planes; 9 levels take 4", [](ModelSpec& s) { book(s).levels.resize(9); }},
      {"weight_planes: row 2 holds an index beyond its 5 levels",
       [](ModelSpec& s) {
         for (const std::size_t plane : {std::size_t{0}, std::size_t{2}}) {
           book(s).indices.words[plane * 7 + 2] |= std::uint64_t{1} << 9;
         }
       }},
      {"weight_levels[1] is nan", [=](ModelSpec& s) { book(s).levels[1] = kNan; }},
      {"weight_levels has 13 elements; it must have 12",
       [](ModelSpec& s) {
         std::get<CodebookWeights>(op_of<Conv2d>(s, "book2").weights).levels.push_back(0.0F);
       }},
  };
  expect_refused(sample_branches(), wrongs);
}

}  // namespace
}  // namespace bitplane::engine
