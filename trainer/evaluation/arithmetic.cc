// SPDX-License-Identifier: Apache-2.0
#include "trainer/evaluation/arithmetic.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "trainer/evaluation/plane_side.h"

namespace bitplane::train {

ChannelAffine fold_batch_norm(const engine::BatchNorm& bn, std::span<const double> scale,
                              std::span<const float> bias) {
  const std::size_t channels = bn.mean.size();
  if (channels != scale.size()) {
    throw std::invalid_argument("batch norm of " + std::to_string(channels) + " channels on " +
                                std::to_string(scale.size()));
  }
  ChannelAffine affine{.g = std::vector<float>(channels), .h = std::vector<float>(channels)};
  for (std::size_t c = 0; c < channels; ++c) {
    const double gamma = bn.gamma.empty() ? 1.0 : static_cast<double>(bn.gamma[c]);
    const double beta = bn.beta.empty() ? 0.0 : static_cast<double>(bn.beta[c]);
    const double b = bias.empty() ? 0.0 : static_cast<double>(bias[c]);
    const double r = gamma / std::sqrt(static_cast<double>(bn.var[c]) + static_cast<double>(bn.epsilon));
    affine.g[c] = static_cast<float>(r * scale[c]);
    affine.h[c] = static_cast<float>(beta + (b - static_cast<double>(bn.mean[c])) * r);
  }
  return affine;
}

ChannelAffine fold_scale(std::span<const double> scale, std::span<const float> bias) {
  ChannelAffine affine{.g = std::vector<float>(scale.size()), .h = std::vector<float>(scale.size(), 0.0F)};
  for (std::size_t c = 0; c < scale.size(); ++c) affine.g[c] = static_cast<float>(scale[c]);
  std::copy(bias.begin(), bias.end(), affine.h.begin());
  return affine;
}

void apply_affine(const ChannelAffine& affine, std::span<const float> z, std::span<float> t) {
  const std::size_t channels = affine.g.size();
  for (std::size_t p = 0; p < z.size(); p += channels) {
    for (std::size_t c = 0; c < channels; ++c) t[p + c] = std::fma(z[p + c], affine.g[c], affine.h[c]);
  }
}

void apply_relu(std::span<const float> x, std::span<float> y) {
  std::transform(x.begin(), x.end(), y.begin(), [](float t) { return t > 0.0F ? t : 0.0F; });
}

void apply_quantize(const engine::Quantize& quantize, std::span<const float> t, std::span<std::uint8_t> codes,
                    std::span<float> planes) {
  const std::vector<float>& thresholds = quantize.thresholds;
  for (std::size_t e = 0; e < t.size(); ++e) {
    // The number of thresholds below t: they ascend, so the first that is not below it ends them.
    const auto end = std::lower_bound(thresholds.begin(), thresholds.end(), t[e]);
    codes[e] = quantize.code_of_rank[static_cast<std::size_t>(end - thresholds.begin())];
  }
  const float values[2] = {plane_value(quantize.encoding, false), plane_value(quantize.encoding, true)};
  for (std::size_t j = 0; j < quantize.bits; ++j) {
    float* plane = planes.data() + j * t.size();
    for (std::size_t e = 0; e < t.size(); ++e) plane[e] = values[(static_cast<unsigned>(codes[e]) >> j) & 1U];
  }
}

std::vector<float> levels_of_codes(const engine::Quantize& quantize) {
  const PlaneSide side = make_side(quantize);
  std::vector<float> levels;
  for (std::size_t code = 0; code < std::size_t{1} << quantize.bits; ++code) {
    std::int64_t sum = 0;
    float level = 0.0F;
    for (std::size_t j = 0; j < quantize.bits; ++j) {
      const float bit = plane_value(quantize.encoding, ((code >> j) & 1U) != 0);
      if (side.uniform()) {
        sum += static_cast<std::int64_t>(bit) * side.multipliers[j];
      } else if (bit != 0.0F) {
        level += bit > 0.0F ? side.basis[j] : -side.basis[j];
      }
    }
    levels.push_back(
        side.uniform() ? std::fma(static_cast<float>(sum), static_cast<float>(side.scale[0]), quantize.offset)
                       : level + quantize.offset);
  }
  return levels;
}

}  // namespace bitplane::train
