// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <utility>

#include "lowering/passes.h"
#include "lowering/plane_operands.h"

namespace bitplane::engine {
namespace {

/// Codes as they were, in planes of another number of groups.
Step repack(Program& program, ValueId codes, std::size_t groups) {
  Value copy = program.values[codes];
  copy.groups = groups;
  Step step;
  step.kind = StepKind::Repack;
  step.node = copy.quantizer;
  step.nodes = {copy.quantizer};
  step.in = codes;
  step.in_shape = copy.shape;
  step.out = program.add_value(copy);
  return step;
}

}  // namespace

void lay_out_planes(const ModelSpec& spec, Program& program) {
  std::map<ValueId, std::map<std::size_t, ValueId>> layouts;  // of the codes: groups -> value
  std::vector<Step> steps;
  for (Step& step : program.steps) {
    // A dequantize takes planes as they lie.
    if (convolves_planes(program, step)) {
      const std::size_t groups = convolution_shape(spec, program, step).groups;
      std::map<std::size_t, ValueId>& known = layouts[step.in];
      if (known.empty()) {
        program.values[step.in].groups = groups;
        known.emplace(groups, step.in);
      } else if (known.count(groups) == 0) {
        steps.push_back(repack(program, step.in, groups));
        known.emplace(groups, steps.back().out);
      }
      step.in = known.at(groups);
    }
    steps.push_back(std::move(step));
  }
  program.steps = std::move(steps);
}

}  // namespace bitplane::engine
