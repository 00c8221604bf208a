// SPDX-License-Identifier: Apache-2.0
#include "lowering/plane_operands.h"

#include "lowering/fold.h"
#include "lowering/multiples.h"
#include "model/op_list.h"

namespace bitplane::engine {
namespace {

using kernels::Combination;

Combination combination_of(const Basis& weights, const Basis& activations) noexcept {
  if (is_uniform(weights)) {
    return is_uniform(activations) ? Combination::UniformBoth : Combination::LearnedActivations;
  }
  return is_uniform(activations) ? Combination::LearnedWeights : Combination::LearnedBoth;
}

kernels::Encoding kernel_encoding(PlaneEncoding encoding) noexcept {
  return encoding == PlaneEncoding::Bipolar ? kernels::Encoding::Bipolar : kernels::Encoding::Unsigned;
}

void describe_weights(const PlaneWeights& weights, PlaneOperands& operands) {
  kernels::BitConvSpec& spec = operands.spec;
  spec.weight_encoding = kernel_encoding(weights.encoding);
  spec.weights = {.words = weights.planes.words.data(),
                  .planes = weights.planes.planes,
                  .rows = weights.planes.rows,
                  .k = weights.planes.k};
  if (const auto* learned = std::get_if<LearnedBasis>(&weights.basis)) {
    spec.weight_basis = learned->values.data();
  } else {
    operands.weight_multiples = plane_multiples(weights.planes.planes, weights.encoding);
    spec.weight_multiples = operands.weight_multiples.data();
  }
  for (std::size_t c = 0; c < weights.offset.size(); ++c) {
    operands.weight_offset.push_back(offset_in_scale_units(weights.offset[c], weights.basis, c));
  }
  if (!operands.weight_offset.empty()) spec.weight_offset = operands.weight_offset.data();
}

void describe_activations(const Quantize& input, PlaneOperands& operands) {
  kernels::BitConvSpec& spec = operands.spec;
  spec.activation_encoding = kernel_encoding(input.encoding);
  spec.activation_planes = input.bits;
  if (const auto* learned = std::get_if<LearnedBasis>(&input.basis)) {
    spec.activation_basis = learned->values.data();
  } else {
    operands.activation_multiples = plane_multiples(input.bits, input.encoding);
    spec.activation_multiples = operands.activation_multiples.data();
  }
  if (input.offset != 0.0F) spec.activation_offset = offset_in_scale_units(input.offset, input.basis, 0);
}

}  // namespace

bool convolves_planes(const Program& program, const Step& step) noexcept {
  return step.kind == StepKind::Convolution && program.values[step.in].form == ValueForm::Planes;
}

bool convolves_bytes(const ModelSpec& spec, const Step& step) noexcept {
  return step.kind == StepKind::Convolution && step.in == kInputValue && reads_bytes(spec.nodes[step.node]);
}

ByteOperands byte_operands(const ModelSpec& spec, const Program& program, const Step& step) {
  const PlaneWeights& weights = std::get<PlaneWeights>(weights_of(spec.nodes[step.node].op));
  const Planes& planes = weights.planes;
  const std::vector<std::int32_t> multiples = plane_multiples(planes.planes, weights.encoding);
  const std::size_t row_words = kernels::words_for_bits(planes.k);
  ByteOperands operands;
  operands.weights.resize(planes.rows * planes.k);
  for (std::size_t row = 0; row < planes.rows; ++row) {
    for (std::size_t k = 0; k < planes.k; ++k) {
      std::int32_t value = 0;
      for (std::size_t i = 0; i < planes.planes; ++i) {
        const std::uint64_t word = planes.words[(i * planes.rows + row) * row_words + k / 64];
        if (((word >> (k % 64)) & 1U) != 0) value += multiples[i];
      }
      operands.weights[row * planes.k + k] = static_cast<std::int8_t>(value);
    }
  }
  for (const float mean : spec.input.mean) operands.zero.push_back(zero_byte(mean).value_or(0));
  operands.shape = convolution_shape(spec, program, step);
  return operands;
}

PlaneOperands plane_operands(const ModelSpec& spec, const Program& program, const Step& step,
                             std::size_t batch) {
  const Quantize& input = std::get<Quantize>(spec.nodes[program.values[step.in].quantizer].op);
  const PlaneWeights& weights = std::get<PlaneWeights>(weights_of(spec.nodes[step.node].op));
  PlaneOperands operands;
  operands.spec.shape = convolution_shape(spec, program, step);
  operands.spec.shape.batch = batch;
  operands.spec.combination = combination_of(weights.basis, input.basis);
  describe_weights(weights, operands);
  describe_activations(input, operands);
  return operands;
}

}  // namespace bitplane::engine
