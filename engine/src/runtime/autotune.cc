// SPDX-License-Identifier: Apache-2.0
#include "runtime/autotune.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <vector>

#include "lowering/plane_operands.h"
#include "runtime/steps/runner.h"

namespace bitplane::engine {
namespace {

using Clock = std::chrono::steady_clock;

/// A layer is run until its candidates have had this many turns and this much time together.
constexpr std::size_t kLeastTurns = 5, kMostTurns = 200;
constexpr std::chrono::milliseconds kTimePerLayer{5};

struct Candidate {
  const kernels::LowBitKernel* kernel;
  std::unique_ptr<const kernels::LowBitConv> convolution;
  std::unique_ptr<Runner> runner;
  kernels::AlignedArray<std::byte> scratch;
  Clock::duration best = Clock::duration::max();
};

std::vector<Candidate> make_candidates(const RunnerContext& context, const kernels::LowBitWishes& wishes,
                                       std::size_t step) {
  const Model::Impl& model = context.model;
  const PlaneOperands operands =
      plane_operands(model.spec, model.program, model.program.steps[step], context.batch);
  std::vector<Candidate> candidates;
  for (const kernels::LowBitKernel* kernel : kernels::lowbit_kernels()) {
    if (!kernels::may_run(*kernel, wishes, operands.spec)) continue;
    Candidate candidate{
        .kernel = kernel, .convolution = kernel->make(operands.spec), .runner = {}, .scratch = {}};
    candidate.runner = make_plane_convolution(context, step, *candidate.convolution);
    candidate.scratch = kernels::AlignedArray<std::byte>(candidate.runner->scratch_bytes());
    candidates.push_back(std::move(candidate));
  }
  return candidates;
}

const kernels::LowBitKernel* fastest(std::vector<Candidate>& candidates, const Buffers& buffers) {
  const Clock::time_point start = Clock::now();
  for (std::size_t turn = 0; turn < kMostTurns; ++turn) {
    if (turn >= kLeastTurns && Clock::now() - start > kTimePerLayer) break;
    for (Candidate& candidate : candidates) {
      const auto run = [&] {
        candidate.runner->run({0, candidate.runner->rows()}, buffers, candidate.scratch.data());
      };
      // The other candidates' weights have pushed its own out of the caches: the second run times the kernel
      // and not their way back, as where the layer's weights stay in the cache between pictures.
      run();
      const Clock::time_point begin = Clock::now();
      run();
      candidate.best = std::min(candidate.best, Clock::now() - begin);
    }
  }
  return std::min_element(candidates.begin(), candidates.end(),
                          [](const Candidate& a, const Candidate& b) { return a.best < b.best; })
      ->kernel;
}

}  // namespace

void autotune(const TuningGround& ground, const kernels::LowBitWishes& wishes, KernelChoice& choice) {
  const RunnerContext context{
      .model = ground.model, .kernels = choice, .arena = ground.plan, .batch = ground.batch};
  for (std::size_t step = 0; step < choice.planes.size(); ++step) {
    if (choice.planes[step] == nullptr) continue;
    std::vector<Candidate> candidates = make_candidates(context, wishes, step);
    if (candidates.size() > 1) choice.planes[step] = fastest(candidates, {.arena = ground.arena});
  }
}

}  // namespace bitplane::engine
