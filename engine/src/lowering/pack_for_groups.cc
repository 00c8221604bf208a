// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "lowering/passes.h"

namespace bitplane::engine {
namespace {

/// The distinct numbers of groups in which the convolutions reading `codes` want it; {1} where nobody reads.
std::vector<std::size_t> wanted_groups(const ModelSpec& spec, const Program& program, ValueId codes) {
  std::vector<std::size_t> groups;
  for (const Step& step : program.steps) {
    if (step.in != codes) continue;
    const std::size_t g = convolution_shape(spec, program, step).groups;
    if (std::find(groups.begin(), groups.end(), g) == groups.end()) groups.push_back(g);
  }
  if (groups.empty()) groups.push_back(1);
  return groups;
}

Step pack_step(const Program& program, ValueId ranks, ValueId planes) {
  Step step;
  step.kind = StepKind::PackRanks;
  step.node = program.values[planes].quantizer;
  step.nodes = {step.node};
  step.in = ranks;
  step.out = planes;
  return step;
}

void rewire(const ModelSpec& spec, Program& program, ValueId from, ValueId to) {
  for (Step& step : program.steps) {
    if (step.in != from || step.kind != StepKind::Convolution) continue;
    if (convolution_shape(spec, program, step).groups == program.values[to].groups) step.in = to;
  }
}

}  // namespace

void pack_for_groups(const ModelSpec& spec, Program& program) {
  for (std::size_t s = 0; s < program.steps.size(); ++s) {
    const ValueId codes = program.steps[s].out;
    if (program.values[codes].form != ValueForm::Planes) continue;
    const std::vector<std::size_t> groups = wanted_groups(spec, program, codes);
    program.values[codes].groups = groups.front();
    if (groups.size() == 1) continue;
    std::vector<Step> packs;
    ValueId ranks = program.steps[s].in;
    if (program.steps[s].kind != StepKind::PackRanks) {
      Value value = program.values[codes];
      value.form = ValueForm::Ranks;
      ranks = program.add_value(value);
      program.steps[s].out = ranks;
      packs.push_back(pack_step(program, ranks, codes));
    }
    for (std::size_t g = 1; g < groups.size(); ++g) {
      Value value = program.values[codes];
      value.groups = groups[g];
      const ValueId planes = program.add_value(value);
      rewire(spec, program, codes, planes);
      packs.push_back(pack_step(program, ranks, planes));
    }
    program.steps.insert(program.steps.begin() + static_cast<std::ptrdiff_t>(s) + 1, packs.begin(),
                         packs.end());
    s += packs.size();
  }
}

}  // namespace bitplane::engine
