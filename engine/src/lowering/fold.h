// SPDX-License-Identifier: Apache-2.0
//
// Folding of BN, bias and scales into one fma per output: t = fma(z, g_o, h_o).
// Normative: docs/BITPLANES.md, items 4 and 6. The operations and their order are part of the contract.
#pragma once

#include <cstddef>
#include <vector>

#include "lowering/program.h"

namespace bitplane::engine {

/// What a convolution or linear layer leaves to be applied to its z.
struct ConvolutionTail {
  std::vector<double> scale;  ///< S_o, [channels]
  std::vector<float> bias;    ///< empty (0) or [channels]
};

/// The input's preprocessing: x = fma(float(u), a_c, b_c), docs/BITPLANES.md item 1.
[[nodiscard]] Affine fold_preprocessing(const InputSpec& input);

/// The tail of a value that is no convolution's z: S = 1, bias = 0.
[[nodiscard]] ConvolutionTail plain_tail(std::size_t channels);

/// S_o = s_w,o * s_a in double; a learned or float side counts 1. `quantizer` is the one of the layer's
/// input, or null for float input.
[[nodiscard]] ConvolutionTail convolution_tail(const Operation& layer, std::size_t channels,
                                               const Quantize* quantizer);

/// Without BN: g = float(S_o), h = bias.
[[nodiscard]] Affine fold(const ConvolutionTail& tail);
/// r = gamma / sqrt(var + epsilon), g = float(r * S_o), h = float(beta + (bias - mean) * r).
[[nodiscard]] Affine fold(const ConvolutionTail& tail, const BatchNorm& bn);
[[nodiscard]] bool is_identity(const Affine& affine) noexcept;

/// The value of every code, docs/BITPLANES.md item 17: [2^bits].
[[nodiscard]] std::vector<float> levels_of_codes(const Quantize& quantize);

/// An offset in units of its uniform side's scale; of a learned side as it is.
[[nodiscard]] float offset_in_scale_units(float offset, const Basis& basis, std::size_t channel) noexcept;

}  // namespace bitplane::engine
