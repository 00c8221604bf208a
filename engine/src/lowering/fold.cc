// SPDX-License-Identifier: Apache-2.0
#include "lowering/fold.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "lowering/multiples.h"

namespace bitplane::engine {
namespace {

double uniform_scale(const Basis& basis, std::size_t channel) noexcept {
  const auto* uniform = std::get_if<UniformBasis>(&basis);
  if (uniform == nullptr) return 1.0;
  return uniform->scale.size() == 1 ? uniform->scale[0] : uniform->scale[channel];
}

}  // namespace

Affine fold_preprocessing(const InputSpec& input) {
  Affine affine;
  for (std::size_t c = 0; c < input.channels; ++c) {
    affine.scale.push_back(static_cast<float>(1.0 / (255.0 * double{input.std[c]})));
    affine.shift.push_back(static_cast<float>(-double{input.mean[c]} / double{input.std[c]}));
  }
  return affine;
}

ConvolutionTail plain_tail(std::size_t channels) {
  return {std::vector<double>(channels, 1.0), {}};
}

ConvolutionTail convolution_tail(const Operation& layer, std::size_t channels, const Quantize* quantizer) {
  ConvolutionTail tail = plain_tail(channels);
  tail.bias = bias_of(layer);
  const auto* planes = std::get_if<PlaneWeights>(&weights_of(layer));
  for (std::size_t c = 0; c < channels; ++c) {
    const double weight_scale = planes == nullptr ? 1.0 : uniform_scale(planes->basis, c);
    const double activation_scale = quantizer == nullptr ? 1.0 : uniform_scale(quantizer->basis, 0);
    tail.scale[c] = weight_scale * activation_scale;
  }
  return tail;
}

Affine fold(const ConvolutionTail& tail) {
  Affine affine;
  for (const double s : tail.scale) affine.scale.push_back(static_cast<float>(s));
  affine.shift = tail.bias.empty() ? std::vector<float>(tail.scale.size(), 0.0F) : tail.bias;
  return affine;
}

Affine fold(const ConvolutionTail& tail, const BatchNorm& bn) {
  Affine affine;
  for (std::size_t c = 0; c < tail.scale.size(); ++c) {
    const double gamma = bn.gamma.empty() ? 1.0 : double{bn.gamma[c]};
    const double beta = bn.beta.empty() ? 0.0 : double{bn.beta[c]};
    const double bias = tail.bias.empty() ? 0.0 : double{tail.bias[c]};
    const double r = gamma / std::sqrt(double{bn.var[c]} + double{bn.epsilon});
    affine.scale.push_back(static_cast<float>(r * tail.scale[c]));
    affine.shift.push_back(static_cast<float>(beta + (bias - double{bn.mean[c]}) * r));
  }
  return affine;
}

bool is_identity(const Affine& affine) noexcept {
  return std::all_of(affine.scale.begin(), affine.scale.end(), [](float g) { return g == 1.0F; }) &&
         std::all_of(affine.shift.begin(), affine.shift.end(), [](float h) { return h == 0.0F; });
}

std::vector<float> levels_of_codes(const Quantize& quantize) {
  const std::vector<std::int32_t> multiples = plane_multiples(quantize.bits, quantize.encoding);
  const float zero = quantize.encoding == PlaneEncoding::Bipolar ? -1.0F : 0.0F;
  const auto* uniform = std::get_if<UniformBasis>(&quantize.basis);
  std::vector<float> levels;
  for (std::size_t code = 0; code < std::size_t{1} << quantize.bits; ++code) {
    float multiple = 0.0F, chain = 0.0F;
    for (std::size_t j = 0; j < quantize.bits; ++j) {
      const float bit = (code >> j & 1U) != 0 ? 1.0F : zero;
      if (uniform != nullptr) {
        multiple += bit * static_cast<float>(multiples[j]);  // exact
      } else {
        chain += bit * std::get<LearnedBasis>(quantize.basis).values[j];
      }
    }
    levels.push_back(uniform != nullptr ? std::fma(multiple, uniform->scale[0], quantize.offset)
                                        : chain + quantize.offset);
  }
  return levels;
}

float offset_in_scale_units(float offset, const Basis& basis, std::size_t channel) noexcept {
  return static_cast<float>(double{offset} / uniform_scale(basis, channel));
}

}  // namespace bitplane::engine
