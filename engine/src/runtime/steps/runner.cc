// SPDX-License-Identifier: Apache-2.0
#include "runtime/steps/runner.h"

namespace bitplane::engine {

kernels::Epilogue make_epilogue(const RunnerContext& context, const Step& step) {
  const Stages& stages = step.stages;
  const Value& out = context.value(step.out);
  kernels::Epilogue epilogue;
  epilogue.affine = {.scale = stages.affine->scale.data(), .shift = stages.affine->shift.data()};
  if (!stages.quantize) {
    epilogue.activation = stages.relu ? kernels::Activation::Relu : kernels::Activation::None;
    return epilogue;
  }
  const Quantize& quantize = std::get<Quantize>(context.model.spec.nodes[stages.quantize->node].op);
  epilogue.ranks = {.thresholds = stages.quantize->thresholds.data(),
                    .count = stages.quantize->thresholds.size(),
                    .code_of_rank = quantize.code_of_rank.data()};
  if (step.integers) {
    epilogue.integer = {.thresholds = step.integers->thresholds.data(), .flip = step.integers->flip.data()};
  }
  epilogue.kind =
      out.form == ValueForm::Planes ? kernels::EpilogueKind::Planes : kernels::EpilogueKind::Ranks;
  if (out.form == ValueForm::Planes) epilogue.layout = planes_layout(out);
  return epilogue;
}

kernels::Epilogue with_output(kernels::Epilogue epilogue, const Place& out, const Buffers& buffers) noexcept {
  switch (epilogue.kind) {
    case kernels::EpilogueKind::Float:
      epilogue.out = out.floats(buffers);
      break;
    case kernels::EpilogueKind::Ranks:
      epilogue.out_ranks = out.ranks(buffers);
      break;
    case kernels::EpilogueKind::Planes:
      epilogue.out_planes = out.bytes(buffers);
      break;
  }
  return epilogue;
}

std::unique_ptr<Runner> make_runner(const RunnerContext& context, std::size_t step) {
  const Step& s = context.model.program.steps[step];
  switch (s.kind) {
    case StepKind::Convolution:
      if (context.kernels.planes[step] == nullptr) return make_float_convolution(context, step);
      return make_plane_convolution(context, step,
                                    context.model.packed.planes(step, *context.kernels.planes[step]));
    case StepKind::Elementwise:
      return make_elementwise(context, step);
    case StepKind::MaxPool:
      return make_max_pool(context, step);
    case StepKind::PackRanks:
      return make_pack_ranks(context, step);
    case StepKind::GlobalAverage:
      break;
  }
  return make_global_average(context, step);
}

}  // namespace bitplane::engine
