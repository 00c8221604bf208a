// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "lowering/passes.h"
#include "lowering/stages.h"

namespace bitplane::engine {
namespace {

/// Can `quantizer` join `source`, whose float output has other readers?
bool joins(const Program& program, const Step& source, const Step& quantizer) {
  return has_stages(source) && quantizer.kind == StepKind::Elementwise && quantizer.stages.quantize &&
         program.values[quantizer.out].form == ValueForm::Planes && sees_value_shape(program, quantizer) &&
         // The floats are what stands before a second affine.
         !quantizer.stages.residual && !source.stages.after && can_append(source.stages, quantizer.stages);
}

void join(const Program& program, Step& source, Step&& quantizer) {
  const ValueId floats = source.out;
  if (!source.stages.affine && quantizer.stages.affine) {
    source.stages.affine = identity_affine(program.values[floats].shape.channels);
  }
  const Rectified relu = source.stages.relu ? Rectified::Yes : Rectified::No;
  append(source.stages, std::move(quantizer.stages));
  source.stages.floats = FloatsStage{floats, relu};
  source.out = quantizer.out;
  add_nodes(source.nodes, quantizer.nodes);
}

}  // namespace

void floats_beside_planes(Program& program) {
  const std::vector<std::size_t> readers = count_readers(program);
  constexpr std::size_t kNobody = static_cast<std::size_t>(-1);
  std::vector<std::size_t> writer(program.values.size(), kNobody);  // a value's step in `steps`
  std::vector<Step> steps;
  for (Step& step : program.steps) {
    const std::size_t source = writer[step.in];
    if (source != kNobody && readers[step.in] > 1 && joins(program, steps[source], step)) {
      const ValueId planes = step.out;
      join(program, steps[source], std::move(step));
      writer[planes] = source;
      continue;
    }
    for (const ValueId out : outputs_of(step)) writer[out] = steps.size();
    steps.push_back(std::move(step));
  }
  program.steps = std::move(steps);
}

}  // namespace bitplane::engine
