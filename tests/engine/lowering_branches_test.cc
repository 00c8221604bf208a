// SPDX-License-Identifier: Apache-2.0
//
// What becomes of residual, dense and inception blocks: which operations are left, and what they write.
#include <gtest/gtest.h>

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

/// Pre-activation, as LQ-Nets' ResNets: the sum is read by the next block's BN and by its shortcut.
SpecBuilder residual_net() {
  SpecBuilder builder(8, 8, 3);
  builder.add("stem", reference::float_conv(3, 8))
      .add("stem.bn", reference::batch_norm(8))
      .add("stem.relu", Relu{})
      .add("quant1", reference::quantize())
      .add("conv1", reference::plane_conv(8, 8))
      .add("bn1", reference::batch_norm(8))
      .add("relu1", Relu{})
      .add("quant2", reference::quantize())
      .add("conv2", reference::plane_conv(8, 8))
      .join("sum1", {"conv2", "stem.relu"}, Add{})
      .add("bn2", reference::batch_norm(8))
      .add("relu2", Relu{})
      .add("quant3", reference::quantize())
      .add("conv3", reference::plane_conv(8, 8))
      .add("bn3", reference::batch_norm(8))
      .add("relu3", Relu{})
      .add("quant4", reference::quantize())
      .add("conv4", reference::plane_conv(8, 8));
  return builder;
}

/// One step per convolution and nothing else: sums, BN, ReLU and quantizers are in the epilogues, the values
/// that shortcuts carry are written beside the planes.
TEST(LoweringOfBranches, NoExtraOperationRemainsInAResidualBlock) {
  const Program program = lowered(residual_net()
                                      .join("sum2", {"conv4", "sum1"}, Add{})
                                      .add("bn5", reference::batch_norm(8))
                                      .add("relu5", Relu{})
                                      .add("gap", GlobalAveragePool{})
                                      .add("fc", reference::classifier(8, 3))
                                      .spec());
  EXPECT_EQ(
      plan_of(program),
      "conv:planes+float conv:planes conv:planes+float conv:planes conv:float average:float conv:float");
  const Stages& stem = program.steps[0].stages;
  EXPECT_EQ(stem.floats->relu, Rectified::Yes);  // the shortcut carries what the ReLU made
  const Stages& sum = program.steps[2].stages;
  EXPECT_EQ(*sum.residual, stem.floats->value);
  EXPECT_EQ(sum.floats->relu, Rectified::No);  // the next shortcut carries the sum, not its BN and ReLU
  EXPECT_TRUE(sum.affine && sum.after && sum.relu && sum.quantize);
  const Stages& last = program.steps[4].stages;
  EXPECT_EQ(*last.residual, sum.floats->value);
  EXPECT_TRUE(last.after && last.relu && !last.quantize);
}

TEST(LoweringOfBranches, AShortcutThatShrinksIsOneStep) {
  Conv2d conv4 = reference::plane_conv(8, 12);
  conv4.stride_h = conv4.stride_w = 2;
  SpecBuilder builder = residual_net();
  const Program program =
      lowered(builder.add("conv5", conv4, "quant4")
                  .add("zeros", ZeroChannelShortcut{2, 2, 2, 2, ShortcutSampling::Average}, "sum1")
                  .join("sum2", {"conv5", "zeros"}, Add{})
                  .add("gap", GlobalAveragePool{})
                  .join("more", {"conv4"}, GlobalAveragePool{})
                  .join("all", {"gap", "more"}, Concat{})
                  .spec());
  // conv5 stands behind the shortcut that it adds.
  EXPECT_EQ(
      plan_of(program),
      "conv:planes+float conv:planes conv:planes+float conv:planes conv:float shortcut:float conv:float "
      "average:float average:float concat:float");
}

/// The wiring of LQ-Nets' ImageNet nets: one quantizer feeds the branch and the projection.
TEST(LoweringOfBranches, BothWaysReadOneQuantizer) {
  SpecBuilder builder = residual_net();
  const Program program = lowered(builder.add("project", reference::plane_conv(8, 8), "quant3")
                                      .add("project.bn", reference::batch_norm(8))
                                      .join("sum2", {"conv4", "project.bn"}, Add{})
                                      .spec());
  // The sum goes into the later convolution; sum1 has one reader and needs no floats.
  EXPECT_EQ(plan_of(program), "conv:planes+float conv:planes conv:planes conv:planes conv:float conv:float");
  EXPECT_EQ(program.steps[5].in, program.steps[3].in);
  EXPECT_TRUE(program.steps[5].stages.residual);
}

TEST(LoweringOfBranches, ReadersWithOtherGroupsGetPlanesOfTheirOwn) {
  const Program program = lowered(SpecBuilder(4, 4, 1)
                                      .add("conv1", reference::float_conv(1, 8))
                                      .add("quant1", reference::quantize())
                                      .add("a", reference::plane_conv(8, 4, 2))
                                      .add("b", reference::plane_conv(8, 4), "quant1")
                                      .add("c", reference::plane_conv(8, 4), "quant1")
                                      .join("all", {"a", "b", "c"}, Concat{})
                                      .spec());
  EXPECT_EQ(plan_of(program), "conv:planes conv:float repack:planes conv:float conv:float concat:float");
  EXPECT_EQ(program.values[program.steps[1].in].groups, 2U);
  EXPECT_EQ(program.values[program.steps[3].in].groups, 1U);
  EXPECT_EQ(program.steps[3].in, program.steps[4].in);
}

/// No float tensor between the convolutions of an inception block and those of the next one.
TEST(LoweringOfBranches, AQuantizedConcatenationIsOfRanks) {
  const Program program = lowered(SpecBuilder(4, 4, 1)
                                      .add("conv1", reference::float_conv(1, 8))
                                      .add("quant1", reference::quantize())
                                      .add("a", reference::plane_conv(8, 4))
                                      .add("b", reference::plane_conv(8, 6), "quant1")
                                      .join("concat", {"a", "b"}, Concat{})
                                      .add("bn", reference::batch_norm(10))
                                      .add("relu", Relu{})
                                      .add("quant2", reference::quantize())
                                      .add("conv2", reference::plane_conv(10, 2))
                                      .spec());
  EXPECT_EQ(plan_of(program), "conv:planes conv:ranks conv:ranks pack:planes conv:float");
  EXPECT_EQ(program.steps[3].channels, (std::vector<std::size_t>{4, 6}));
}

/// Each layer of a dense block reads all features before it: they are not copied into ever longer tensors.
/// GoogLeNet's 3b and 4e: the pooling takes the ranks of each part.
TEST(LoweringOfBranches, APooledConcatenationIsOfRanks) {
  const Program program = lowered(SpecBuilder(4, 4, 1)
                                      .add("conv1", reference::float_conv(1, 8))
                                      .add("quant1", reference::quantize())
                                      .add("a", reference::plane_conv(8, 4))
                                      .add("b", reference::plane_conv(8, 6), "quant1")
                                      .join("concat", {"a", "b"}, Concat{})
                                      .add("pool", reference::halve())
                                      .add("bn", reference::batch_norm(10))
                                      .add("relu", Relu{})
                                      .add("quant2", reference::quantize())
                                      .add("conv2", reference::plane_conv(10, 2))
                                      .spec());
  EXPECT_EQ(plan_of(program),
            "conv:planes conv:ranks conv:ranks pool:ranks pool:ranks pack:planes conv:float");
  const BatchNorm bn = reference::batch_norm(10);
  for (std::size_t c = 0; c < 6; ++c) {
    EXPECT_EQ(program.steps[4].minimum.at(c) != 0, bn.gamma[4 + c] < 0.0F) << c;
  }
  EXPECT_EQ(program.values[program.steps[4].out].shape, (NodeShape{2, 2, 6}));
}

TEST(LoweringOfBranches, ConcatenationsOfConcatenationsReadTheParts) {
  const Program program = lowered(SpecBuilder(4, 4, 1)
                                      .add("conv1", reference::float_conv(1, 8))
                                      .add("quant1", reference::quantize())
                                      .add("a", reference::plane_conv(8, 4))
                                      .join("concat1", {"conv1", "a"}, Concat{})
                                      .add("quant2", reference::quantize())
                                      .add("b", reference::plane_conv(12, 4))
                                      .join("concat2", {"concat1", "b"}, Concat{})
                                      .add("quant3", reference::quantize())
                                      .add("c", reference::plane_conv(16, 2))
                                      .spec());
  for (const Step& step : program.steps) EXPECT_NE(step.kind, StepKind::Concat);
  EXPECT_EQ(program.steps.back().kind, StepKind::Convolution);
  const Step& pack = program.steps[program.steps.size() - 2];
  EXPECT_EQ(pack.kind, StepKind::PackRanks);
  EXPECT_EQ(pack.channels, (std::vector<std::size_t>{8, 4, 4}));
}

TEST(LoweringOfBranches, ValuesLiveUntilTheirLastReader) {
  const ModelSpec spec = residual_net().join("sum2", {"conv4", "sum1"}, Add{}).spec();
  const Program program = lowered(spec);
  const std::vector<Lifetime> lives = lifetimes(program, 1);
  const ValueId carried = program.steps[2].stages.floats->value;
  EXPECT_EQ(lives[carried].first, 2U);
  EXPECT_EQ(lives[carried].last, 4U);
  EXPECT_EQ(lives[carried].bytes, 8U * 8 * 8 * sizeof(float));
  EXPECT_EQ(lives[program.steps[2].out].last, 3U);
}

}  // namespace
}  // namespace bitplane::engine
