// SPDX-License-Identifier: Apache-2.0
//
// Which kernels a session takes for its quantized layers, and that the results do not depend on it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "bitplane/engine.h"
#include "bitplane/kernels/lowbit_conv.h"
#include "engine/reference/interpreter.h"
#include "engine/reference/lowered.h"
#include "engine/reference/random_graph.h"
#include "engine/reference/specs.h"
#include "lowering/choose_kernels.h"
#include "lowering/integer_thresholds.h"
#include "lowering/passes.h"
#include "lowering/plane_operands.h"

namespace bitplane::engine {
namespace {

using reference::lowered;

Model uniform_model() {
  Result<Model> model = Model::from_spec(reference::small_net());
  EXPECT_TRUE(model.ok()) << model.status().message();
  return std::move(model).value();
}

std::vector<float> output_of(const Model& model, const SessionOptions& options) {
  Result<Session> session = Session::create(model, options);
  EXPECT_TRUE(session.ok()) << session.status().message();
  if (!session.ok()) return {};
  EXPECT_TRUE(session->run(reference::pictures(model.spec(), options.batch)).ok());
  return {session->output().begin(), session->output().end()};
}

TEST(KernelChoice, AFamilyIsTakenWhereverItSupportsTheLayer) {
  const ModelSpec spec = reference::small_net();
  const Program program = lowered(spec);
  const kernels::CpuFeatures features = kernels::detect_cpu();
  for (const kernels::Family family : kernels::lowbit_families()) {
    SCOPED_TRACE(kernels::family_name(family));
    const kernels::LowBitWishes wishes{.features = features, .family = family};
    const KernelChoice choice = choose_kernels(spec, program, wishes, 1);
    ASSERT_EQ(choice.planes.size(), program.steps.size());
    for (std::size_t s = 0; s < program.steps.size(); ++s) {
      ASSERT_EQ(choice.planes[s] != nullptr, convolves_planes(program, program.steps[s]));
      if (choice.planes[s] == nullptr) continue;
      const PlaneOperands operands = plane_operands(spec, program, program.steps[s], 1);
      const auto of_family = [&](const kernels::LowBitKernel* kernel) {
        return kernel->info.family == family && features.has(kernel->info.isa) &&
               kernel->supports(operands.spec);
      };
      if (std::ranges::any_of(kernels::lowbit_kernels(), of_family)) {
        EXPECT_EQ(choice.planes[s]->info.family, family);
      }
      EXPECT_TRUE(choice.planes[s]->supports(operands.spec));
    }
  }
}

TEST(KernelChoice, TheChoiceByCostIsPureAndTheCheapest) {
  const ModelSpec spec = reference::small_net();
  const Program program = lowered(spec);
  for (const kernels::IsaInfo& isa : kernels::kIsas) {
    const kernels::CpuFeatures features = kernels::detect_cpu().limited_to(isa.isa);
    const KernelChoice choice = choose_kernels(spec, program, {.features = features, .family = {}}, 4);
    EXPECT_EQ(choice.planes, choose_kernels(spec, program, {.features = features, .family = {}}, 4).planes);
    for (std::size_t s = 0; s < program.steps.size(); ++s) {
      if (choice.planes[s] == nullptr) continue;
      const PlaneOperands operands = plane_operands(spec, program, program.steps[s], 4);
      const double cost = choice.planes[s]->cost(operands.spec);
      EXPECT_GT(cost, 0.0);
      for (const kernels::LowBitKernel* other : kernels::lowbit_kernels()) {
        if (!features.has(other->info.isa) || !other->supports(operands.spec)) continue;
        EXPECT_LE(cost, other->cost(operands.spec)) << isa.name << ": " << other->info.name;
      }
    }
  }
}

TEST(KernelChoice, ResultsDependOnNeitherFamilyNorAutotuning) {
  const Model model = uniform_model();
  const std::vector<float> expected = output_of(model, {.batch = 3, .isa = "scalar"});
  EXPECT_EQ(output_of(model, {.batch = 3, .autotune = true}), expected);
  for (const kernels::Family family : kernels::lowbit_families()) {
    const std::string name(kernels::family_name(family));
    EXPECT_EQ(output_of(model, {.batch = 3, .family = name}), expected) << name;
    EXPECT_EQ(output_of(model, {.batch = 3, .threads = 2, .family = name, .autotune = true}), expected)
        << name;
  }
}

TEST(KernelChoice, AnUnknownFamilyIsRefusedWithTheKnownOnes) {
  const Result<Session> session = Session::create(uniform_model(), {.family = "bitparallel"});
  ASSERT_FALSE(session.ok());
  EXPECT_EQ(session.status().code(), StatusCode::InvalidArgument);
  EXPECT_NE(session.status().message().find("bitparallel"), std::string::npos);
  for (const kernels::Family family : kernels::lowbit_families()) {
    EXPECT_NE(session.status().message().find(kernels::family_name(family)), std::string::npos);
  }
}

/// #{l : (A ^ flip) > threshold_l}, as the kernels compute it.
std::size_t packed_rank(const IntegerStage& stage, std::size_t c, std::int32_t a) {
  const std::size_t channels = stage.flip.size();
  std::size_t rank = 0;
  for (std::size_t l = 0; l * channels < stage.thresholds.size(); ++l) {
    rank += (a ^ stage.flip[c]) > stage.thresholds[l * channels + c] ? 1 : 0;
  }
  return rank;
}

TEST(CompareIntegers, GivesTheRanksOfTheFloatPredicate) {
  std::size_t stages = 0, falling = 0;
  for (std::uint32_t seed = 1; seed <= 1200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const ModelSpec spec = reference::RandomGraph(seed).make();
    const Program program = lowered(spec);
    for (const Step& step : program.steps) {
      if (!step.integers) continue;
      ++stages;
      const Affine& affine = *step.stages.affine;
      for (std::size_t c = 0; c < affine.scale.size(); ++c) {
        falling += affine.scale[c] < 0.0F ? 1 : 0;
        const ChannelThresholds tests =
            integer_thresholds(affine.scale[c], affine.shift[c], step.stages.quantize->thresholds);
        for (std::int32_t a = -300; a <= 300; ++a) {
          std::size_t rank = 0;
          for (const float t : step.stages.quantize->thresholds)
            rank += std::fma(static_cast<float>(a), affine.scale[c], affine.shift[c]) > t ? 1 : 0;
          ASSERT_EQ(packed_rank(*step.integers, c, a), rank) << "channel " << c << ", A = " << a;
          ASSERT_EQ(tests.rank(a), rank);
        }
      }
    }
  }
  EXPECT_GT(stages, 10U);
  EXPECT_GT(falling, 10U);
}

}  // namespace
}  // namespace bitplane::engine
