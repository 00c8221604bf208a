// SPDX-License-Identifier: Apache-2.0
#include "lowering/program.h"

namespace bitplane::engine {

std::vector<ValueId> inputs_of(const Step& step) {
  std::vector<ValueId> inputs = step.parts.empty() ? std::vector<ValueId>{step.in} : step.parts;
  if (step.stages.residual) inputs.push_back(*step.stages.residual);
  return inputs;
}

std::vector<ValueId> outputs_of(const Step& step) {
  std::vector<ValueId> outputs{step.out};
  if (step.stages.floats) outputs.push_back(step.stages.floats->value);
  return outputs;
}

bool has_stages(const Step& step) noexcept {
  return step.kind == StepKind::Convolution || step.kind == StepKind::Elementwise;
}

std::vector<std::size_t> count_readers(const Program& program) {
  std::vector<std::size_t> readers(program.values.size(), 0);
  for (const Step& step : program.steps) {
    for (const ValueId id : inputs_of(step)) ++readers[id];
  }
  ++readers[program.output];
  return readers;
}

bool sees_value_shape(const Program& program, const Step& step) {
  return step.in_shape == program.values[step.in].shape;
}

kernels::ConvShape convolution_shape(const ModelSpec& spec, const Program& program, const Step& step) {
  const Value& in = program.values[step.in];
  const Operation& op = spec.nodes[step.node].op;
  kernels::ConvShape shape;
  if (const auto* conv = std::get_if<Conv2d>(&op)) {
    shape.height = step.in_shape.height;
    shape.width = step.in_shape.width;
    shape.channels = step.in_shape.channels;
    shape.out_channels = conv->out_channels;
    shape.kernel_h = conv->kernel_h;
    shape.kernel_w = conv->kernel_w;
    shape.stride_h = conv->stride_h;
    shape.stride_w = conv->stride_w;
    shape.pad_h = conv->pad_h;
    shape.pad_w = conv->pad_w;
    shape.dilation_h = conv->dilation_h;
    shape.dilation_w = conv->dilation_w;
    shape.groups = conv->groups;
    return shape;
  }
  shape.out_channels = std::get<Linear>(op).out_features;
  if (in.form == ValueForm::Float) {
    shape.channels = step.in_shape.height * step.in_shape.width * step.in_shape.channels;
    return shape;
  }
  shape.height = shape.kernel_h = in.shape.height;
  shape.width = shape.kernel_w = in.shape.width;
  shape.channels = in.shape.channels;
  return shape;
}

namespace {

template <class Pool>
kernels::PoolShape window_shape(const Pool& pool, const NodeShape& in, const NodeShape& out) {
  return {.batch = 1,
          .height = in.height,
          .width = in.width,
          .channels = in.channels,
          .kernel_h = pool.kernel_h,
          .kernel_w = pool.kernel_w,
          .stride_h = pool.stride_h,
          .stride_w = pool.stride_w,
          .pad_h = pool.pad_h,
          .pad_w = pool.pad_w,
          .out_height = out.height,
          .out_width = out.width};
}

}  // namespace

kernels::PoolShape pool_shape(const ModelSpec& spec, const Program& program, const Step& step) {
  if (step.pool) {
    const kernels::ConvShape conv = convolution_shape(spec, program, step);
    return window_shape(std::get<MaxPool>(spec.nodes[*step.pool].op),
                        {conv.out_height(), conv.out_width(), conv.out_channels},
                        program.values[step.out].shape);
  }
  const Operation& op = spec.nodes[step.node].op;
  const NodeShape& out = program.values[step.out].shape;
  const auto* average = std::get_if<AveragePool>(&op);
  return average != nullptr ? window_shape(*average, step.in_shape, out)
                            : window_shape(std::get<MaxPool>(op), step.in_shape, out);
}

kernels::ActivationLayout planes_layout(const Value& value) {
  return {.height = value.shape.height,
          .width = value.shape.width,
          .channels = value.shape.channels,
          .planes = value.bits,
          .groups = value.groups,
          .encoding = value.encoding};
}

bool has_weights(const Operation& op) noexcept {
  return std::holds_alternative<Conv2d>(op) || std::holds_alternative<Linear>(op);
}

const Weights& weights_of(const Operation& op) {
  const auto* conv = std::get_if<Conv2d>(&op);
  return conv != nullptr ? conv->weights : std::get<Linear>(op).weights;
}

const CodebookWeights* codebook_of(const Operation& op) {
  return std::get_if<CodebookWeights>(&weights_of(op));
}

const std::vector<float>& bias_of(const Operation& op) {
  const auto* conv = std::get_if<Conv2d>(&op);
  return conv != nullptr ? conv->bias : std::get<Linear>(op).bias;
}

}  // namespace bitplane::engine
