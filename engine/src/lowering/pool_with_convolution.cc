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
  for (Step& step : program.steps) {
    const auto writer =
        std::find_if(steps.begin(), steps.end(), [&](const Step& other) { return other.out == step.in; });
    if (writer == steps.end() || readers[step.in] != 1 || !joins(spec, program, *writer, step)) {
      steps.push_back(std::move(step));
      continue;
    }
    writer->pool = step.node;
    writer->out = step.out;
    add_nodes(writer->nodes, step.nodes);
  }
  program.steps = std::move(steps);
}

}  // namespace bitplane::engine
