// SPDX-License-Identifier: Apache-2.0
#include "runtime/packed_weights.h"

#include "lowering/fold.h"
#include "lowering/multiples.h"

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

kernels::BitConv pack_planes(const kernels::BitSerialKernels& kernels, const kernels::ConvShape& shape,
                             const PlaneWeights& weights, const Quantize& input) {
  kernels::BitConvSpec spec;
  spec.shape = shape;
  spec.weight_encoding = kernel_encoding(weights.encoding);
  spec.activation_encoding = kernel_encoding(input.encoding);
  spec.weights = {.words = weights.planes.words.data(),
                  .planes = weights.planes.planes,
                  .rows = weights.planes.rows,
                  .k = weights.planes.k};
  spec.activation_planes = input.bits;
  spec.combination = combination_of(weights.basis, input.basis);

  const std::vector<std::int32_t> weight_multiples = plane_multiples(weights.planes.planes, weights.encoding);
  const std::vector<std::int32_t> activation_multiples = plane_multiples(input.bits, input.encoding);
  if (const auto* learned = std::get_if<LearnedBasis>(&weights.basis)) {
    spec.weight_basis = learned->values.data();
  } else {
    spec.weight_multiples = weight_multiples.data();
  }
  if (const auto* learned = std::get_if<LearnedBasis>(&input.basis)) {
    spec.activation_basis = learned->values.data();
  } else {
    spec.activation_multiples = activation_multiples.data();
  }

  std::vector<float> offsets;
  for (std::size_t c = 0; c < weights.offset.size(); ++c) {
    offsets.push_back(offset_in_scale_units(weights.offset[c], weights.basis, c));
  }
  if (!offsets.empty()) spec.weight_offset = offsets.data();
  if (input.offset != 0.0F) spec.activation_offset = offset_in_scale_units(input.offset, input.basis, 0);
  return {kernels, spec};
}

std::vector<kernels::F32Panels> pack_panels(const kernels::ConvShape& shape, const FloatWeights& weights) {
  const std::size_t k = shape.filter_size();
  const std::size_t outputs = shape.out_channels / shape.groups;
  std::vector<kernels::F32Panels> groups;
  for (std::size_t g = 0; g < shape.groups; ++g) {
    kernels::F32Panels& panels = groups.emplace_back(k, outputs);
    kernels::pack_f32_panels(weights.values.data() + g * outputs * k, 1, k, panels);
  }
  return groups;
}

}  // namespace

const kernels::BitConv& PackedWeights::planes(std::size_t step, const kernels::BitSerialKernels& kernels) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<const kernels::BitConv>& packed = planes_[{step, kernels::kernel_name(kernels)}];
  if (packed == nullptr) {
    const Step& convolution = program_.steps[step];
    const Value& in = program_.values[convolution.in];
    const Quantize& input = std::get<Quantize>(spec_.nodes[in.quantizer].op);
    const PlaneWeights& weights = std::get<PlaneWeights>(weights_of(spec_.nodes[convolution.node].op));
    const kernels::ConvShape shape = convolution_shape(spec_, program_, convolution);
    packed = std::make_unique<const kernels::BitConv>(pack_planes(kernels, shape, weights, input));
  }
  return *packed;
}

const std::vector<kernels::F32Panels>& PackedWeights::panels(std::size_t step) {
  const std::lock_guard lock(mutex_);
  const auto found = panels_.find(step);
  if (found != panels_.end()) return found->second;
  const Step& convolution = program_.steps[step];
  const FloatWeights& weights = std::get<FloatWeights>(weights_of(spec_.nodes[convolution.node].op));
  return panels_.emplace(step, pack_panels(convolution_shape(spec_, program_, convolution), weights))
      .first->second;
}

}  // namespace bitplane::engine
