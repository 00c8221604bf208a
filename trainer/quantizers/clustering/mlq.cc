// SPDX-License-Identifier: Apache-2.0
#include "trainer/quantizers/clustering/mlq.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "trainer/quantizers/clustering/k_means.h"
#include "trainer/quantizers/rows.h"
#include "trainer/quantizers/uniform.h"

namespace bitplane::train {
namespace {

constexpr std::uint8_t kHeartIndex = 1;

/// 0 where all centres are.
double step_of(std::span<const float> centres) {
  constexpr int kBitsBelow = 21;
  const float largest = largest_magnitude(centres);
  return largest == 0.0F ? 0.0 : std::ldexp(1.0, floor_log2(static_cast<double>(largest)) - kBitsBelow);
}

float snapped(float centre, double step) {
  if (step == 0) return centre;
  return static_cast<float>(std::round(static_cast<double>(centre) / step) * step);
}

}  // namespace

std::vector<float> mlq_start(std::span<const float> weights) {
  constexpr double kShare = 0.7;
  const double bound = kShare * mean_magnitude(weights);
  double sum = 0, count = 0;
  for (const float w : weights) {
    const double magnitude = std::fabs(static_cast<double>(w));
    if (!(magnitude > bound)) continue;
    sum += magnitude;
    count += 1;
  }
  const auto p = static_cast<float>(count > 0 ? sum / count : 0.0);
  return {-p, 0.0F, p};
}

void MlqWeights::visit_state(const std::string& prefix, const StateVisitor& visitor) {
  IncrementalWeights::visit_state(prefix, visitor);
  visitor.buffer(prefix + "group", group_);
}

void MlqWeights::choose(Backend& backend, Tensor& weights, const Loss&) {
  check(weights);
  const std::span<float> centres = mutable_levels();
  if (parts_done() == kBoundaries) {
    const std::vector<float> start = mlq_start(weights.values());
    std::copy(start.begin(), start.end(), centres.begin());
    k_means(backend, weights.values(), centres, std::array{0.0F, 0.0F, 0.0F});
    const double step = step_of(levels());
    for (float& centre : centres) centre = snapped(centre, step);
    return;
  }
  // The step is that of the boundaries: they lie on it already, and the heart lies between them.
  const std::array boundaries{centres[0], centres[2]};
  k_means(backend, weights.values(), centres, std::array{1.0F, 0.0F, 1.0F});
  centres[kHeartIndex] = snapped(centres[kHeartIndex], step_of(boundaries));
}

std::vector<std::uint8_t> MlqWeights::next_levels(Backend& backend, std::span<const float> weights) const {
  std::vector<std::uint8_t> level = assign_clusters(backend, weights, levels());
  if (parts_done() == kHeart) return level;
  for (std::uint8_t& j : level) {
    if (j == kHeartIndex) j = kStaysFloat;
  }
  return level;
}

WeightExport MlqWeights::export_weights(const Tensor& weights) const {
  constexpr std::array<std::uint16_t, 3> kCodes{2, 0, 1};  // plane 0: cluster c, plane 1: cluster a
  const std::vector<std::uint8_t> index = indices(weights);
  const float a = levels()[0], b = levels()[1], c = levels()[2];
  const std::size_t out = layer().out_channels;
  engine::LearnedBasis basis{std::vector<float>(2 * out, c - b)};
  std::fill(basis.values.begin() + static_cast<std::ptrdiff_t>(out), basis.values.end(), a - b);
  std::vector<std::uint16_t> codes(index.size());
  std::transform(index.begin(), index.end(), codes.begin(), [&](std::uint8_t j) { return kCodes[j]; });
  return {.planes = 2,
          .out_channels = out,
          .k = layer().filter_size,
          .encoding = engine::PlaneEncoding::Unsigned,
          .basis = std::move(basis),
          .offset = std::vector<float>(out, b),
          .codes = std::move(codes)};
}

constexpr QuantizerInfo kMlq{.name = "mlq",
                             .description = "three centres for the layer, boundaries first, then the heart",
                             .weight_bits = {2, 2},
                             .activation_bits = {},
                             .weights = weight_maker<MlqWeights>,
                             .activations = nullptr,
                             .weight_options = {},
                             .activation_options = {}};

}  // namespace bitplane::train
