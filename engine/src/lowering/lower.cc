// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <string>

#include "lowering/passes.h"

namespace bitplane::engine {
namespace {

/// Every epilogue has an affine: where nothing was folded, the one that changes nothing.
void complete_affines(Program& program) {
  for (Step& step : program.steps) {
    if (step.kind != StepKind::Convolution && step.kind != StepKind::Elementwise) continue;
    if (step.stages.affine) continue;
    const std::size_t channels = program.values[step.out].shape.channels;
    step.stages.affine = Affine{std::vector<float>(channels, 1.0F), std::vector<float>(channels, 0.0F)};
  }
}

/// Finite parameters can fold into numbers that float32 cannot hold (a variance near 0, a huge scale). The
/// thresholds' monotony rests on finite g and h.
Status check_affines(const ModelSpec& spec, const Program& program) {
  for (const Step& step : program.steps) {
    if (!step.stages.affine) continue;
    const Affine& affine = *step.stages.affine;
    for (std::size_t c = 0; c < affine.scale.size(); ++c) {
      if (std::isfinite(affine.scale[c]) && std::isfinite(affine.shift[c])) continue;
      return {StatusCode::Unsupported,
              "node '" + spec.nodes[step.nodes.front()].name + "', channel " + std::to_string(c) +
                  ": batch norm, bias and scales fold into a number beyond float32: check the variances and "
                  "scales of this layer"};
    }
  }
  return {};
}

}  // namespace

Result<Program> lower(const ModelSpec& spec, std::span<const NodeShape> shapes) {
  Result<Program> program = expand(spec, shapes);
  if (!program.ok()) return program;
  fuse(program.value());
  pool_on_ranks(program.value());
  lay_out_planes(spec, program.value());
  complete_affines(program.value());
  Status finite = check_affines(spec, program.value());
  if (!finite.ok()) return finite;
  compare_integers(spec, program.value());
  count_constant_channels(spec, program.value());
  return program;
}

}  // namespace bitplane::engine
