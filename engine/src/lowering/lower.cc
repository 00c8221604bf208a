// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <optional>
#include <string>

#include "lowering/passes.h"
#include "lowering/plane_operands.h"
#include "lowering/stages.h"

namespace bitplane::engine {
namespace {

/// Every epilogue has an affine: where nothing was folded, the one that changes nothing.
void complete_affines(Program& program) {
  for (Step& step : program.steps) {
    if (!has_stages(step) || step.stages.affine) continue;
    step.stages.affine = identity_affine(program.values[step.out].shape.channels);
  }
}

/// Where no step reads the picture as floats, nothing preprocesses it.
void note_picture_readers(const ModelSpec& spec, Program& program) {
  program.preprocesses = false;
  for (const Step& step : program.steps) {
    if (convolves_bytes(spec, step)) {
      program.reads_bytes = true;
      continue;
    }
    for (const ValueId id : inputs_of(step)) program.preprocesses |= id == kInputValue;
  }
}

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

/// Its channel, or kNone.
std::size_t first_not_finite(const Affine& affine) {
  for (std::size_t c = 0; c < affine.scale.size(); ++c) {
    if (!std::isfinite(affine.scale[c]) || !std::isfinite(affine.shift[c])) return c;
  }
  return kNone;
}

/// Finite parameters can fold into numbers that float32 cannot hold (a variance near 0, a huge scale). The
/// thresholds' monotony rests on finite g and h.
Status check_affines(const ModelSpec& spec, const Program& program) {
  for (const Step& step : program.steps) {
    for (const std::optional<Affine>* affine : {&step.stages.affine, &step.stages.after}) {
      const std::size_t bad = *affine ? first_not_finite(**affine) : kNone;
      if (bad == kNone) continue;
      return {StatusCode::Unsupported,
              "node '" + spec.nodes[step.nodes.front()].name + "', channel " + std::to_string(bad) +
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
  concat_on_ranks(program.value());
  floats_beside_planes(program.value());
  lay_out_planes(spec, program.value());
  complete_affines(program.value());
  Status finite = check_affines(spec, program.value());
  if (!finite.ok()) return finite;
  note_picture_readers(spec, program.value());
  compare_integers(spec, program.value());
  count_constant_channels(spec, program.value());
  return program;
}

}  // namespace bitplane::engine
