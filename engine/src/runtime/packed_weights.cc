// SPDX-License-Identifier: Apache-2.0
#include "runtime/packed_weights.h"

#include "lowering/plane_operands.h"

namespace bitplane::engine {
namespace {

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

/// [rows][k] bytes.
std::vector<std::uint8_t> indices_of(const Planes& planes) {
  const std::size_t row_words = kernels::words_for_bits(planes.k);
  std::vector<std::uint8_t> indices(planes.rows * planes.k, 0);
  for (std::size_t p = 0; p < planes.planes; ++p) {
    for (std::size_t row = 0; row < planes.rows; ++row) {
      const std::uint64_t* words = planes.words.data() + (p * planes.rows + row) * row_words;
      for (std::size_t i = 0; i < planes.k; ++i) {
        const unsigned bit = static_cast<unsigned>(words[i / 64] >> (i % 64)) & 1U;
        indices[row * planes.k + i] |= static_cast<std::uint8_t>(bit << p);
      }
    }
  }
  return indices;
}

kernels::CodebookWeights pack_codebook(const kernels::ConvShape& shape, const CodebookWeights& weights) {
  const bool layer = weights.scope == CodebookScope::Layer;
  const std::vector<std::uint8_t> indices = indices_of(weights.indices);
  return kernels::CodebookWeights(
      {.shape = shape,
       .indices = indices.data(),
       .levels = weights.levels.data(),
       .level_count = weights.levels.size() / (layer ? 1 : weights.indices.rows),
       .scope = layer ? kernels::LevelScope::Layer : kernels::LevelScope::Channel});
}

}  // namespace

bool PackedWeights::holds_all(const KernelChoice& choice) {
  const std::lock_guard lock(mutex_);
  for (std::size_t step = 0; step < program_.steps.size(); ++step) {
    if (program_.steps[step].kind != StepKind::Convolution) continue;
    const kernels::LowBitKernel* kernel = choice.planes[step];
    bool packed = false;
    if (kernel != nullptr) {
      packed = planes_.count({step, kernel->info.name}) != 0;
    } else if (convolves_bytes(spec_, program_.steps[step])) {
      packed = bytes_.count({step, kernels::kernel_name(*choice.bytes)}) != 0;
    } else if (codebook_of(spec_.nodes[program_.steps[step].node].op) != nullptr) {
      packed = codebooks_.count(step) != 0;
    } else {
      packed = panels_.count(step) != 0;
    }
    if (!packed) return false;
  }
  return true;
}

std::size_t PackedWeights::packed_bytes() {
  const std::lock_guard lock(mutex_);
  std::size_t bytes = 0;
  for (const auto& [key, convolution] : bytes_) bytes += convolution.packed_bytes();
  for (const auto& [key, convolution] : planes_) bytes += convolution->packed_bytes();
  for (const auto& [step, codebook] : codebooks_) bytes += codebook.bytes();
  for (const auto& [step, groups] : panels_) {
    for (const kernels::F32Panels& panels : groups) bytes += panels.bytes();
  }
  return bytes;
}

const kernels::LowBitConv& PackedWeights::planes(std::size_t step, const kernels::LowBitKernel& kernel) {
  const std::lock_guard lock(mutex_);
  const PlanesKey key{step, kernel.info.name};
  const auto found = planes_.find(key);
  if (found != planes_.end()) return *found->second;
  auto packed = kernel.make(plane_operands(spec_, program_, program_.steps[step], 1).spec);
  return *planes_.emplace(key, std::move(packed)).first->second;
}

const kernels::ByteConv& PackedWeights::bytes(std::size_t step, const kernels::DotKernels& kernels) {
  const std::lock_guard lock(mutex_);
  const PlanesKey key{step, kernels::kernel_name(kernels)};
  const auto found = bytes_.find(key);
  if (found != bytes_.end()) return found->second;
  const ByteOperands operands = byte_operands(spec_, program_, program_.steps[step]);
  const kernels::ByteConvSpec spec{
      .shape = operands.shape, .weights = operands.weights.data(), .zero = operands.zero.data()};
  return bytes_.emplace(key, kernels::ByteConv(kernels, spec)).first->second;
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

const kernels::CodebookWeights& PackedWeights::codebook(std::size_t step) {
  const std::lock_guard lock(mutex_);
  const auto found = codebooks_.find(step);
  if (found != codebooks_.end()) return found->second;
  const Step& convolution = program_.steps[step];
  const CodebookWeights& weights = *codebook_of(spec_.nodes[convolution.node].op);
  return codebooks_.emplace(step, pack_codebook(convolution_shape(spec_, program_, convolution), weights))
      .first->second;
}

}  // namespace bitplane::engine
