// SPDX-License-Identifier: Apache-2.0
//
// Runs an unpacked layer through one low-bit kernel, whatever its family. Every buffer has its minimal size
// and ends at an unreadable page; scratch and outputs are filled with garbage first.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "bitplane/kernels/aligned.h"
#include "bitplane/kernels/bitserial.h"
#include "kernels/family_isas.h"
#include "kernels/reference/bit_conv_reference.h"
#include "kernels/reference/guarded.h"

namespace bitplane::kernels::reference {

/// The low-bit kernels of all families that this machine can run.
inline std::vector<const LowBitKernel*> runnable_kernels() {
  std::vector<const LowBitKernel*> kernels;
  for (const LowBitKernel* kernel : lowbit_kernels()) {
    if (test_cpu().has(kernel->info.isa)) kernels.push_back(kernel);
  }
  return kernels;
}

/// Of a layer.
struct PlaneCounts {
  std::size_t weights, activations;
};

/// Canonical plane words, one bit at a time.
inline std::vector<std::uint64_t> canonical_planes(const Layer& layer) {
  const std::size_t k = layer.shape.filter_size(), row_words = (k + 63) / 64, rows = layer.shape.out_channels;
  std::vector<std::uint64_t> words(layer.weight_planes * rows * row_words);
  for (std::size_t plane = 0; plane < layer.weight_planes; ++plane) {
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::size_t bit = 0; bit < k; ++bit) {
        const std::uint64_t value = (layer.weights[row * k + bit] >> plane) & 1U;
        words[(plane * rows + row) * row_words + bit / 64] |= value << (bit % 64);
      }
    }
  }
  return words;
}

/// Canonical words must outlive the spec.
inline BitConvSpec spec_of(const Layer& layer, const std::vector<std::uint64_t>& words) {
  const auto data = [](const auto& list) { return list.empty() ? nullptr : list.data(); };
  return {.shape = layer.shape,
          .weight_encoding = layer.weight_encoding,
          .activation_encoding = layer.activation_encoding,
          .weights = {words.data(), layer.weight_planes, layer.shape.out_channels, layer.shape.filter_size()},
          .activation_planes = layer.activation_planes,
          .combination = layer.combination,
          .weight_multiples = data(layer.weight_multiples),
          .activation_multiples = data(layer.activation_multiples),
          .weight_basis = data(layer.weight_basis),
          .activation_basis = data(layer.activation_basis),
          .weight_offset = data(layer.weight_offset),
          .activation_offset = layer.activation_offset};
}

inline bool supports(const LowBitKernel& kernel, const Layer& layer) {
  const std::vector<std::uint64_t> words = canonical_planes(layer);
  return kernel.supports(spec_of(layer, words));
}

/// The kernels of runnable_kernels() that support the layer.
inline std::vector<const LowBitKernel*> kernels_for(const Layer& layer) {
  std::vector<const LowBitKernel*> kernels = runnable_kernels();
  std::erase_if(kernels, [&](const LowBitKernel* kernel) { return !supports(*kernel, layer); });
  return kernels;
}

class LayerRunner {
 public:
  LayerRunner(const Layer& layer, const LowBitKernel& kernel)
      : layer_(layer), features_(test_cpu().limited_to(kernel.info.isa)) {
    const std::vector<std::uint64_t> words = canonical_planes(layer);
    const Guarded<std::uint64_t> guarded_words{std::span<const std::uint64_t>(words)};
    BitConvSpec spec = spec_of(layer, words);
    spec.weights.words = guarded_words.data();
    conv_ = kernel.make(spec);
    input_ = Guarded<std::byte>(layer.shape.batch * conv_->input_layout().picture_bytes(), kGuardedAlignment);
    input_.fill_bytes(0xA5);
    pack_codes(layer.activations, layer.shape.batch, conv_->input_layout(), input_.data());
    scratch_ = Guarded<std::byte>(conv_->scratch_bytes(), kGuardedAlignment);
    scratch_.fill_bytes(0x5A);
  }

  [[nodiscard]] const LowBitConv& conv() const { return *conv_; }
  [[nodiscard]] PackedActivations input() const { return {input_.data(), conv_->input_layout()}; }
  [[nodiscard]] std::size_t rows() const { return layer_.shape.batch * layer_.shape.out_height(); }
  [[nodiscard]] std::size_t outputs() const { return layer_.shape.out_pixels() * layer_.shape.out_channels; }

  /// Runs the rows from the epilogue's first on, in ranges of `step`.
  void run(const Epilogue& epilogue, std::size_t step) {
    for (std::size_t row = epilogue.first_row; row < rows(); row += step) {
      conv_->run(input(), {row, std::min(rows(), row + step)}, select_epilogue(features_), epilogue,
                 scratch_.data());
    }
  }
  std::vector<float> z(std::size_t step) {
    const std::vector<float> ones(layer_.shape.out_channels, 1.0F), zeros(layer_.shape.out_channels, 0.0F);
    Guarded<float> z(outputs());
    std::fill(z.begin(), z.end(), -12345.0F);
    run({.kind = EpilogueKind::Float, .affine = {ones.data(), zeros.data()}, .out = z.data()}, step);
    return {z.begin(), z.end()};
  }
  std::vector<std::int32_t> integers(std::size_t step) {
    Guarded<std::int32_t> integers(outputs());
    std::fill(integers.begin(), integers.end(), -12345);
    const std::size_t row_size = layer_.shape.out_width() * layer_.shape.out_channels;
    for (std::size_t row = 0; row < rows(); row += step) {
      conv_->run_integer(input(), {row, std::min(rows(), row + step)}, integers.data() + row * row_size,
                         scratch_.data());
    }
    return {integers.begin(), integers.end()};
  }

 private:
  const Layer& layer_;
  CpuFeatures features_;
  std::unique_ptr<const LowBitConv> conv_;
  Guarded<std::byte> input_, scratch_;
};

}  // namespace bitplane::kernels::reference
