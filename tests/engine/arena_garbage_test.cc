// SPDX-License-Identifier: Apache-2.0
//
// A plan's memory at work: after each step, every byte that no living value holds is filled with garbage. If
// a value were placed over one that is still read, or its life ended too early, the output would change.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "bitplane/kernels/aligned.h"
#include "engine/reference/interpreter.h"
#include "engine/reference/lowered.h"
#include "engine/reference/random_dag.h"
#include "lowering/choose_kernels.h"
#include "lowering/plan_arena.h"
#include "runtime/model_impl.h"
#include "runtime/steps/runner.h"

namespace bitplane::engine {
namespace {

constexpr std::size_t kPictures = 2;
constexpr int kGarbage = 0xFF;  // as floats: NaN

void spoil_what_is_free(std::span<std::byte> arena, const ArenaPlan& plan, std::span<const Lifetime> lives,
                        std::size_t next_step) {
  std::vector<bool> kept(arena.size(), false);
  for (std::size_t v = 0; v < lives.size(); ++v) {
    if (lives[v].first >= next_step || lives[v].last < next_step) continue;
    std::fill_n(kept.begin() + static_cast<std::ptrdiff_t>(plan.offsets[v]), lives[v].bytes, true);
  }
  for (std::size_t i = 0; i < arena.size(); ++i) {
    if (!kept[i]) arena[i] = static_cast<std::byte>(kGarbage);
  }
}

/// The model's output, with garbage in all free memory between the steps.
std::vector<float> run_with_garbage(Model::Impl& model, const std::vector<float>& pictures) {
  const KernelChoice kernels =
      choose_kernels(model.spec, model.program,
                     {.features = kernels::permitted(kernels::detect_cpu()), .family = {}}, kPictures);
  const std::vector<Lifetime> lives = lifetimes(model.program, kPictures);
  const ArenaPlan plan = plan_arena(lives);
  kernels::AlignedArray<std::byte> arena(plan.bytes);
  std::memset(arena.data(), kGarbage, plan.bytes);
  const RunnerContext context{.model = model, .kernels = kernels, .arena = plan, .batch = kPictures};
  const Buffers buffers{.input = pictures.data(), .arena = arena.data()};
  for (std::size_t s = 0; s < model.program.steps.size(); ++s) {
    const std::unique_ptr<Runner> runner = make_runner(context, s);
    kernels::AlignedArray<std::byte> scratch(runner->scratch_bytes() + 64);
    std::memset(scratch.data(), kGarbage, scratch.bytes());
    runner->run({0, runner->rows()}, buffers, scratch.data());
    spoil_what_is_free({arena.data(), plan.bytes}, plan, lives, s + 1);
  }
  const NodeShape& shape = model.program.values[model.program.output].shape;
  const auto* output = reinterpret_cast<const float*>(arena.data() + plan.offsets[model.program.output]);
  return {output, output + kPictures * shape.height * shape.width * shape.channels};
}

TEST(ArenaGarbage, FreedMemoryIsNotRead) {
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    reference::RandomDag graph(seed);
    const ModelSpec spec = graph.make();
    const std::size_t size = spec.input.height * spec.input.width * spec.input.channels;
    const std::vector<std::uint8_t> bytes = graph.bytes(kPictures * size);
    std::vector<float> expected;
    for (std::size_t n = 0; n < kPictures; ++n) {
      const auto results = reference::interpret(
          spec, reference::preprocess(spec.input, std::span(bytes).subspan(n * size, size)));
      const std::vector<float>& output = results.at(spec.output).values;
      expected.insert(expected.end(), output.begin(), output.end());
    }
    Model::Impl model(spec, validate(spec).value(), reference::lowered(spec),
                      std::make_shared<WeightsFile>(nullptr));
    EXPECT_EQ(run_with_garbage(model, reference::preprocess(spec.input, bytes)), expected);
  }
}

}  // namespace
}  // namespace bitplane::engine
