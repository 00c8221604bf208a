// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>

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
      program.preprocesses |= step.stages.residual == kInputValue;  // its sum is of floats
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

template <auto Run>
Status run(const ModelSpec& spec, Program& program) {
  if constexpr (requires { Run(program); }) {
    Run(program);
  } else {
    Run(spec, program);
  }
  return {};
}

Status run_complete_affines(const ModelSpec& spec, Program& program) {
  complete_affines(program);
  return check_affines(spec, program);
}

/// The passes behind expand, by the names of program.h.
struct Pass {
  std::string_view name;
  Status (*run)(const ModelSpec& spec, Program& program);
};
constexpr std::array kPasses{
    Pass{"fuse", run<fuse>},
    Pass{"pool_on_ranks", run<pool_on_ranks>},
    Pass{"concat_on_ranks", run<concat_on_ranks>},
    Pass{"floats_beside_planes", run<floats_beside_planes>},
    Pass{"pool_with_convolution", run<pool_with_convolution>},
    Pass{"lay_out_planes", run<lay_out_planes>},
    Pass{"complete_affines", run_complete_affines},
    Pass{"note_picture_readers", run<note_picture_readers>},
    Pass{"compare_integers", run<compare_integers>},
    Pass{"constant_channels", run<count_constant_channels>},
};

}  // namespace

Result<Program> lower(const ModelSpec& spec, std::span<const NodeShape> shapes,
                      const PassObserver& observer) {
  Result<Program> program = expand(spec, shapes);
  if (!program.ok()) return program;
  if (observer) observer("expand", program.value());
  for (const Pass& pass : kPasses) {
    if (Status status = pass.run(spec, program.value()); !status.ok()) return status;
    if (observer) observer(pass.name, program.value());
  }
  return program;
}

}  // namespace bitplane::engine
