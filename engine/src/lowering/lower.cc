// SPDX-License-Identifier: Apache-2.0
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

}  // namespace

Result<Program> lower(const ModelSpec& spec, std::span<const NodeShape> shapes) {
  Result<Program> program = expand(spec, shapes);
  if (!program.ok()) return program;
  fuse(program.value());
  pool_on_ranks(program.value());
  lay_out_planes(spec, program.value());
  complete_affines(program.value());
  count_constant_channels(spec, program.value());
  return program;
}

}  // namespace bitplane::engine
