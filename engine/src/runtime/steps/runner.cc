// SPDX-License-Identifier: Apache-2.0
#include "runtime/steps/runner.h"

#include "lowering/plane_operands.h"

namespace bitplane::engine {
namespace {

kernels::ChannelAffine pointers_to(const Affine& affine) noexcept {
  return {.scale = affine.scale.data(), .shift = affine.shift.data()};
}

void describe_ranks(const RunnerContext& context, const Step& step, kernels::Epilogue& epilogue) {
  const QuantizeStage& stage = *step.stages.quantize;
  const Value& out = context.value(step.out);
  const Quantize& quantize = std::get<Quantize>(context.model.spec.nodes[stage.node].op);
  epilogue.ranks = {.thresholds = stage.thresholds.data(),
                    .count = stage.thresholds.size(),
                    .code_of_rank = quantize.code_of_rank.data()};
  if (step.integers && epilogue.ranks.count <= 1) epilogue.integer = integers_of(step);
  epilogue.kind =
      out.form == ValueForm::Planes ? kernels::EpilogueKind::Planes : kernels::EpilogueKind::Ranks;
  if (out.form == ValueForm::Planes) epilogue.layout = planes_layout(out);
}

}  // namespace

kernels::IntegerThresholds integers_of(const Step& step) noexcept {
  return {.thresholds = step.integers->thresholds.data(), .flip = step.integers->flip.data()};
}

StepEpilogue make_epilogue(const RunnerContext& context, const Step& step) {
  const Stages& stages = step.stages;
  StepEpilogue made{.epilogue = {}, .out = context.place(step.out), .residual = {}, .floats = {}};
  made.epilogue.affine = pointers_to(*stages.affine);
  if (stages.after) made.epilogue.after = pointers_to(*stages.after);
  if (stages.residual) made.residual = context.place(*stages.residual);
  if (stages.floats) made.floats = context.place(stages.floats->value);
  if (stages.quantize) describe_ranks(context, step, made.epilogue);
  // Of the floats; a ReLU in front of a quantizer is in its thresholds.
  const bool relu = stages.quantize ? stages.floats && stages.floats->relu == Rectified::Yes : stages.relu;
  made.epilogue.activation = relu ? kernels::Activation::Relu : kernels::Activation::None;
  return made;
}

kernels::Epilogue StepEpilogue::in(const Buffers& buffers) const noexcept {
  kernels::Epilogue placed = epilogue;
  switch (placed.kind) {
    case kernels::EpilogueKind::Float:
      placed.out = out.floats(buffers);
      break;
    case kernels::EpilogueKind::Ranks:
      placed.out_ranks = out.ranks(buffers);
      break;
    case kernels::EpilogueKind::Planes:
      placed.out_planes = out.bytes(buffers);
      break;
  }
  if (residual) placed.residual = residual->read_floats(buffers);
  if (floats) placed.out = floats->floats(buffers);
  return placed;
}

std::unique_ptr<Runner> make_runner(const RunnerContext& context, std::size_t step) {
  const Step& s = context.model.program.steps[step];
  switch (s.kind) {
    case StepKind::Convolution:
      if (convolves_bytes(context.model.spec, s)) return make_byte_convolution(context, step);
      if (context.kernels.planes[step] == nullptr) return make_float_convolution(context, step);
      return make_plane_convolution(context, step,
                                    context.model.packed.planes(step, *context.kernels.planes[step]));
    case StepKind::Elementwise:
      return make_elementwise(context, step);
    case StepKind::MaxPool:
      return make_max_pool(context, step);
    case StepKind::AveragePool:
      return make_average_pool(context, step);
    case StepKind::GlobalAverage:
      return make_global_average(context, step);
    case StepKind::Shortcut:
      return make_shortcut(context, step);
    case StepKind::LocalResponse:
      return make_local_response(context, step);
    case StepKind::Softmax:
      return make_softmax(context, step);
    case StepKind::Dequantize:
      return make_dequantize(context, step);
    case StepKind::Concat:
      return make_concat(context, step);
    case StepKind::PackRanks:
      return make_pack_ranks(context, step);
    case StepKind::Repack:
      break;
  }
  return make_repack(context, step);
}

}  // namespace bitplane::engine
