// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>
#include <vector>

#include "lowering/passes.h"
#include "lowering/plane_operands.h"
#include "lowering/stages.h"

namespace bitplane::engine {
namespace {

/// Floats that nobody but the pooling reads, and that end in nothing but an affine and a ReLU.
bool joins(const ModelSpec& spec, const Program& program, const Step& convolution, const Step& pool) {
  return pool.kind == StepKind::MaxPool && pool.minimum.empty() && sees_value_shape(program, pool) &&
         convolution.kind == StepKind::Convolution && convolves_bytes(spec, convolution) &&
         !convolution.pool && !convolution.stages.residual && !convolution.stages.quantize;
}

}  // namespace

void pool_with_convolution(const ModelSpec& spec, Program& program) {
  const std::vector<std::size_t> readers = count_readers(program);
  std::vector<Step> steps;
  std::vector<std::size_t> writers(program.values.size(), program.steps.size());  // in `steps`
  for (Step& step : program.steps) {
    const std::size_t writer = writers[step.in];
    if (writer >= steps.size() || readers[step.in] != 1 || !joins(spec, program, steps[writer], step)) {
      writers[step.out] = steps.size();
      steps.push_back(std::move(step));
      continue;
    }
    writers[step.out] = writer;
    steps[writer].pool = step.node;
    steps[writer].out = step.out;
    add_nodes(steps[writer].nodes, step.nodes);
  }
  program.steps = std::move(steps);
}

}  // namespace bitplane::engine
