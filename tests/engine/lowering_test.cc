// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "engine/reference/lowered.h"
#include "engine/reference/plan_text.h"
#include "engine/reference/specs.h"
#include "lowering/passes.h"
#include "lowering/plan_arena.h"

namespace bitplane::engine {
namespace {

using reference::lowered;
using reference::plan_of;
using reference::SpecBuilder;

/// What stands between two marks of a file of the repository.
std::string part_of(const std::string& path, const std::string& begin, const std::string& end) {
  std::ifstream file(BITPLANE_SOURCE_DIR + ("/" + path));
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const std::size_t first = text.find(begin);
  const std::size_t last = first == std::string::npos ? first : text.find(end, first);
  EXPECT_NE(last, std::string::npos) << path << " has no part from '" << begin << "' to '" << end << "'";
  return last == std::string::npos ? "" : text.substr(first, last - first);
}

TEST(Lowering, ThePassesAreWrittenDownInTheirOrder) {
  const ModelSpec spec = SpecBuilder(6, 6, 3).add("conv1", reference::float_conv(3, 8)).spec();
  Result<std::vector<NodeShape>> shapes = validate(spec);
  ASSERT_TRUE(shapes.ok()) << shapes.status().message();
  std::vector<std::string> passes;
  ASSERT_TRUE(lower(spec, shapes.value(), [&](std::string_view pass, const Program&) {
                passes.emplace_back(pass);
              }).ok());
  const std::string page = part_of("docs/ARCHITECTURE.md", "4. **Lower.**", "5. **Pack.**");
  const std::string header =
      part_of("engine/src/lowering/program.h", "The passes, in order", "choose_kernels");
  std::size_t on_page = 0, in_header = 0;
  for (const std::string& pass : passes) {
    on_page = page.find("`" + pass + "`", on_page);
    EXPECT_NE(on_page, std::string::npos) << "docs/ARCHITECTURE.md has no " << pass << " in its place";
    in_header = header.find("//   " + pass + " ", in_header);
    EXPECT_NE(in_header, std::string::npos) << "program.h has no " << pass << " in its place";
  }
}

/// Each parameter is finite and validate() is content, but gamma / sqrt(var + epsilon) is not a float32.
TEST(Lowering, RefusesFoldsBeyondFloat32) {
  BatchNorm bn = reference::batch_norm(8);
  bn.gamma.assign(8, 1.0F);
  bn.beta.assign(8, 0.0F);
  bn.gamma[3] = std::numeric_limits<float>::max();
  bn.var[3] = 1e-6F;
  bn.epsilon = 0.0F;
  const ModelSpec spec = SpecBuilder(6, 6, 3).add("conv1", reference::float_conv(3, 8)).add("bn1", bn).spec();
  Result<std::vector<NodeShape>> shapes = validate(spec);
  ASSERT_TRUE(shapes.ok()) << shapes.status().message();
  const Result<Program> program = lower(spec, shapes.value());
  ASSERT_FALSE(program.ok());
  EXPECT_NE(program.status().message().find("channel 3"), std::string::npos) << program.status().message();
}

/// Two convolutions between quantizers, `second` behind the first one.
ModelSpec two_quantized_convolutions(const Conv2d& second) {
  return SpecBuilder(6, 6, 3)
      .add("conv1", reference::float_conv(3, 8))
      .add("bn1", reference::batch_norm(8))
      .add("relu1", Relu{})
      .add("quant1", reference::quantize())
      .add("conv2", second)
      .add("bn2", reference::batch_norm(8))
      .add("relu2", Relu{})
      .add("quant2", reference::quantize())
      .add("conv3", reference::plane_conv(8, 4))
      .add("bn3", reference::batch_norm(4))
      .add("relu3", Relu{})
      .add("gap", GlobalAveragePool{})
      .add("fc", reference::classifier(4, 3))
      .spec();
}

void expect_no_operation_between(const ModelSpec& spec) {
  const Program program = lowered(spec);
  EXPECT_EQ(plan_of(program), "conv:planes conv:planes conv:float average:float conv:float");
  EXPECT_EQ(program.steps[1].nodes, (std::vector<std::size_t>{4, 5, 6, 7}));
}

/// No operation is left over between quantized layers: BN, ReLU and quantizer vanish in the convolution's
/// epilogue.
TEST(Lowering, NoExtraOperationRemains) {
  expect_no_operation_between(two_quantized_convolutions(reference::plane_conv(8, 8)));
}

/// Scales of groups of filters go the same way, into the affine of each channel: 3, 3 and 2 filters.
TEST(Lowering, ScalesOfGroupsLeaveNoOperationEither) {
  PlaneWeights weights = reference::plane_weights(8, 9 * 8);
  weights.basis = UniformBasis{{0.05F, 0.05F, 0.05F, 0.02F, 0.02F, 0.02F, 0.0F, 0.0F}};
  Conv2d grouped = reference::plane_conv(8, 8);
  grouped.weights = weights;
  expect_no_operation_between(two_quantized_convolutions(grouped));
}

TEST(Lowering, PoolingMovesOntoRanksWithMinimumWhereTheScaleFalls) {
  const ModelSpec spec = reference::small_net();
  const Program program = lowered(spec);
  EXPECT_EQ(plan_of(program),
            "conv:planes conv:ranks pool:ranks pack:planes conv:float average:float conv:float");
  const Affine& affine = *program.steps[1].stages.affine;
  const std::vector<std::uint8_t>& minimum = program.steps[2].minimum;
  ASSERT_EQ(minimum.size(), affine.scale.size());
  std::size_t falling = 0;
  for (std::size_t c = 0; c < minimum.size(); ++c) {
    EXPECT_EQ(minimum[c] != 0, affine.scale[c] < 0.0F) << c;
    falling += minimum[c];
  }
  EXPECT_GT(falling, 0U);
  EXPECT_LT(falling, minimum.size());
}

TEST(Lowering, TwoFallingAffinesBehindAPoolingRise) {
  BatchNorm second = reference::batch_norm(5);
  for (std::size_t c = 0; c < 5; ++c) second.gamma[c] = c < 3 ? -1.0F : 1.0F;
  const Program program = lowered(SpecBuilder(6, 6, 1)
                                      .add("conv1", reference::float_conv(1, 5))
                                      .add("pool1", reference::halve())
                                      .add("bn1", reference::batch_norm(5))
                                      .add("bn2", second)
                                      .add("quant1", reference::quantize())
                                      .add("conv2", reference::plane_conv(5, 2))
                                      .spec());
  EXPECT_EQ(plan_of(program), "conv:ranks pool:ranks pack:planes conv:float");
  for (std::size_t c = 0; c < 5; ++c) {
    const bool first_falls = reference::batch_norm(5).gamma[c] < 0.0F;
    EXPECT_EQ(program.steps[1].minimum[c] != 0, first_falls != (c < 3)) << c;
  }
}

TEST(Lowering, PoolingBehindBatchNormTakesTheMaximumOfRanks) {
  const Program program = lowered(SpecBuilder(6, 6, 1)
                                      .add("conv1", reference::float_conv(1, 5))
                                      .add("bn1", reference::batch_norm(5))
                                      .add("relu1", Relu{})
                                      .add("pool1", reference::halve())
                                      .add("quant1", reference::quantize())
                                      .add("conv2", reference::plane_conv(5, 2))
                                      .spec());
  EXPECT_EQ(plan_of(program), "conv:ranks pool:ranks pack:planes conv:float");
  EXPECT_EQ(program.steps[1].minimum, std::vector<std::uint8_t>(5, 0));
}

TEST(Lowering, CodesReadAsValuesStayPlanesForConvolutions) {
  const ModelSpec spec = SpecBuilder(6, 6, 1)
                             .add("conv1", reference::float_conv(1, 8))
                             .add("quant1", reference::quantize())
                             .add("values", Dequantize{})
                             .add("conv2", reference::plane_conv(8, 8), "quant1")
                             .add("bn2", reference::batch_norm(8))
                             .join("add", {"bn2", "values"}, Add{})
                             .add("gap", GlobalAveragePool{})
                             .spec();
  EXPECT_EQ(plan_of(lowered(spec)), "conv:planes dequantize:float conv:float average:float");
}

TEST(Lowering, PoolingWithoutQuantizerStaysOnFloats) {
  const Program program = lowered(SpecBuilder(6, 6, 1)
                                      .add("conv1", reference::float_conv(1, 5))
                                      .add("pool1", reference::halve())
                                      .add("bn1", reference::batch_norm(5))
                                      .add("relu1", Relu{})
                                      .spec());
  EXPECT_EQ(plan_of(program), "conv:float pool:float elementwise:float");
}

TEST(Lowering, StagesOnTheirOwnRun) {
  const Program program = lowered(SpecBuilder(4, 4, 3)
                                      .add("relu0", Relu{})
                                      .add("bn0", reference::batch_norm(3))
                                      .add("quant0", reference::quantize())
                                      .add("conv1", reference::plane_conv(3, 2))
                                      .spec());
  // A BN behind a ReLU is outside the one order of stages, so it begins a step of its own.
  EXPECT_EQ(plan_of(program), "elementwise:float elementwise:planes conv:float");
}

TEST(Lowering, NegativeThresholdsBehindAReluAreAlwaysPassed) {
  Quantize quantize = reference::quantize();
  quantize.thresholds = {-0.3F, 0.0F, 0.5F};
  for (const bool relu : {false, true}) {
    SpecBuilder builder(4, 4, 1);
    builder.add("conv1", reference::float_conv(1, 4));
    if (relu) builder.add("relu1", Relu{});
    const Program program =
        lowered(builder.add("quant1", quantize).add("conv2", reference::plane_conv(4, 2)).spec());
    const float first = relu ? -std::numeric_limits<float>::infinity() : -0.3F;
    EXPECT_EQ(program.steps[0].stages.quantize->thresholds, (std::vector<float>{first, 0.0F, 0.5F}));
  }
}

TEST(Lowering, AValueWithTwoReadersIsNotFusedAway) {
  Program program;
  program.values.resize(4);
  program.output = 3;
  const auto add = [&](StepKind kind, ValueId in, ValueId out) -> Step& {
    Step& step = program.steps.emplace_back();
    step.kind = kind;
    step.nodes = {out};
    step.in = in;
    step.out = out;
    step.in_shape = program.values[in].shape;
    return step;
  };
  add(StepKind::Convolution, kInputValue, 1);
  add(StepKind::Elementwise, 1, 2).stages.relu = true;
  add(StepKind::Elementwise, 1, 3).stages.relu = true;
  fuse(program);
  EXPECT_EQ(plan_of(program), "conv:float elementwise:float elementwise:float");
  program.steps.pop_back();
  program.output = 2;
  fuse(program);
  EXPECT_EQ(plan_of(program), "conv:float");
}

TEST(Lowering, NothingFusesAcrossAFlattenedMap) {
  Linear linear;
  linear.out_features = 2;
  linear.weights = reference::plane_weights(2, 5 * 9);
  SpecBuilder builder(6, 6, 1);
  builder.add("conv1", reference::float_conv(1, 5))
      .add("pool1", reference::halve())
      .add("flatten", Flatten{});
  EXPECT_EQ(plan_of(lowered(builder.add("quant1", reference::quantize()).add("fc", linear).spec())),
            "conv:float pool:float elementwise:planes conv:float");
  SpecBuilder plain(4, 4, 1);
  plain.add("conv1", reference::float_conv(1, 2)).add("flatten", Flatten{});
  EXPECT_EQ(plan_of(lowered(plain.add("bn1", reference::batch_norm(32)).spec())),
            "conv:float elementwise:float");
}

TEST(Lowering, PlanesAreLaidOutForTheGroupsOfTheirReader) {
  const Program program = lowered(SpecBuilder(4, 4, 1)
                                      .add("conv1", reference::float_conv(1, 8))
                                      .add("quant1", reference::quantize())
                                      .add("conv2", reference::plane_conv(8, 4, 2))
                                      .spec());
  EXPECT_EQ(plan_of(program), "conv:planes conv:float");
  EXPECT_EQ(program.values[program.steps[0].out].groups, 2U);
}

TEST(Lowering, ALinearBehindAFlattenedMapIsAConvolutionOverIt) {
  Linear linear;
  linear.out_features = 3;
  linear.weights = reference::plane_weights(3, 4 * 5 * 6);
  const ModelSpec spec = SpecBuilder(4, 5, 2)
                             .add("conv1", reference::float_conv(2, 6))
                             .add("quant1", reference::quantize())
                             .add("flatten", Flatten{})
                             .add("fc", linear)
                             .spec();
  const Program program = lowered(spec);
  EXPECT_EQ(plan_of(program), "conv:planes conv:float");
  const kernels::ConvShape shape = convolution_shape(spec, program, program.steps[1]);
  EXPECT_EQ(shape.kernel_h, 4U);
  EXPECT_EQ(shape.kernel_w, 5U);
  EXPECT_EQ(shape.channels, 6U);
  EXPECT_EQ(shape.out_pixels(), 1U);
}

TEST(Lowering, ConstantChannelsAreCounted) {
  BatchNorm bn = reference::batch_norm(8);
  bn.gamma = {0.0F, 1.0F, 1.0F, 1e-9F, -1.0F, 1.0F, 0.0F, 1.0F};  // 0, 3 and 6 cannot cross a threshold
  const Program program = lowered(SpecBuilder(4, 4, 1)
                                      .add("conv1", reference::float_conv(1, 8))
                                      .add("quant1", reference::quantize())
                                      .add("conv2", reference::plane_conv(8, 8))
                                      .add("bn2", bn)
                                      .add("quant2", reference::quantize())
                                      .add("conv3", reference::plane_conv(8, 2))
                                      .spec());
  EXPECT_EQ(program.steps[1].constant_channels, 3U);
  EXPECT_EQ(program.steps[2].constant_channels, 0U);
}

TEST(Lowering, WhatItCannotRunIsSaidWithTheNodesName) {
  const auto status_of = [](const ModelSpec& spec) {
    const Result<std::vector<NodeShape>> shapes = validate(spec);
    EXPECT_TRUE(shapes.ok()) << shapes.status().message();
    return lower(spec, shapes.value()).status();
  };
  const Status nothing = status_of(SpecBuilder(4, 4, 1).add("flat", Flatten{}).spec());
  EXPECT_EQ(nothing.code(), StatusCode::Unsupported);
  EXPECT_NE(nothing.message().find("'flat'"), std::string::npos);
}

TEST(PlanArena, LivingValuesNeverShareBytes) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    std::vector<Lifetime> lives(std::uniform_int_distribution<std::size_t>(1, 30)(random));
    std::size_t sum = 0;
    for (Lifetime& life : lives) {
      life.bytes = std::uniform_int_distribution<std::size_t>(0, 500)(random);
      life.first = std::uniform_int_distribution<std::size_t>(0, 20)(random);
      life.last = life.first + std::uniform_int_distribution<std::size_t>(0, 5)(random);
      sum += (life.bytes + 63) / 64 * 64;
    }
    const ArenaPlan plan = plan_arena(lives);
    EXPECT_LE(plan.bytes, sum);
    for (std::size_t a = 0; a < lives.size(); ++a) {
      EXPECT_EQ(plan.offsets[a] % kArenaAlignment, 0U);
      if (lives[a].bytes > 0) {
        EXPECT_LE(plan.offsets[a] + lives[a].bytes, plan.bytes);
      }
      for (std::size_t b = 0; b < a; ++b) {
        const bool together = lives[a].first <= lives[b].last && lives[b].first <= lives[a].last;
        if (!together || lives[a].bytes == 0 || lives[b].bytes == 0) continue;
        EXPECT_TRUE(plan.offsets[a] + lives[a].bytes <= plan.offsets[b] ||
                    plan.offsets[b] + lives[b].bytes <= plan.offsets[a])
            << a << " and " << b;
      }
    }
  }
}

TEST(PlanArena, AChainNeedsTwoBuffers) {
  std::vector<Lifetime> chain;
  for (std::size_t i = 0; i < 10; ++i) chain.push_back({640, i, i + 1});
  EXPECT_EQ(plan_arena(chain).bytes, 2U * 640U);
}

}  // namespace
}  // namespace bitplane::engine
