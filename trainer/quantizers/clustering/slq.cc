// SPDX-License-Identifier: Apache-2.0
#include "trainer/quantizers/clustering/slq.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "trainer/quantizers/rows.h"

namespace bitplane::train {
namespace {

constexpr std::size_t kFewestSlqBits = 3, kMostSlqBits = 5;
constexpr std::array<std::size_t, 3> kParts3{2, 2, 1};
constexpr std::array<std::size_t, 4> kParts4{3, 2, 2, 2};
constexpr std::array<std::size_t, 5> kParts5{5, 4, 4, 2, 2};

}  // namespace

std::span<const std::size_t> slq_partition(std::size_t bits) {
  switch (bits) {
    case 3:
      return kParts3;
    case 4:
      return kParts4;
    case 5:
      return kParts5;
    default:
      throw std::invalid_argument("SLQ has codebooks of 3 to 5 bits, got " + std::to_string(bits));
  }
}

std::size_t slq_levels(std::size_t bits) {
  const std::span<const std::size_t> parts = slq_partition(bits);
  return std::accumulate(parts.begin(), parts.end(), std::size_t{0});
}

SlqWeights::SlqWeights(const WeightQuantizerOptions& layer)
    : IncrementalWeights(layer, slq_levels(layer.bits)), quantized_(Tensor::zeros({slq_levels(layer.bits)})) {
  const OptionReader read(kSlqOptions, layer.options);
  by_loss_ = read.choice("order") == "loss";
  start_ = read.choice("start") == "linear" ? ClusterStart::Linear : ClusterStart::NonLinear;
}

void SlqWeights::visit_state(const std::string& prefix, const StateVisitor& visitor) {
  IncrementalWeights::visit_state(prefix, visitor);
  visitor.buffer(prefix + "quantized", quantized_);
}

std::vector<float> SlqWeights::pinned() const {
  std::vector<float> pinned(quantized().begin(), quantized().end());
  pinned[0] = 1.0F;
  return pinned;
}

std::vector<std::size_t> SlqWeights::ordered(Backend& backend, Tensor& weights, const Loss& loss) const {
  std::vector<std::size_t> waiting;
  for (std::size_t j = 0; j < levels().size(); ++j) {
    if (quantized()[j] == 0.0F) waiting.push_back(j);
  }
  if (!by_loss_ || waiting.size() == slq_partition(bits())[parts_done()]) return waiting;
  const Tensor kept = weights.clone();
  const std::vector<std::uint8_t> cluster = assign_clusters(backend, kept.values(), levels());
  std::vector<double> cost(levels().size());
  for (const std::size_t j : waiting) {
    for (std::size_t i = 0; i < cluster.size(); ++i) {
      if (cluster[i] == j) weights.mutable_data()[i] = levels()[j];
    }
    cost[j] = loss();
    weights.copy_from(kept);
  }
  std::stable_sort(waiting.begin(), waiting.end(),
                   [&](std::size_t a, std::size_t b) { return cost[a] > cost[b]; });
  return waiting;
}

void SlqWeights::choose(Backend& backend, Tensor& weights, const Loss& loss) {
  check(weights);
  if (parts_done() == 0) {
    const std::vector<float> centres =
        start_centres(start_, levels().size(), largest_magnitude(weights.values()));
    std::copy(centres.begin(), centres.end(), mutable_levels().begin());
  }
  k_means(backend, weights.values(), mutable_levels(), pinned());
  std::vector<std::size_t> chosen = ordered(backend, weights, loss);
  chosen.resize(slq_partition(bits())[parts_done()]);
  settle(backend, weights.values(), chosen);
  for (const std::size_t j : chosen) quantized_.mutable_data()[j] = 1.0F;
}

void SlqWeights::settle(Backend&, std::span<const float>, std::span<const std::size_t>) {}

std::vector<std::uint8_t> SlqWeights::next_levels(Backend& backend, std::span<const float> weights) const {
  std::vector<std::uint8_t> level = assign_clusters(backend, weights, levels());
  for (std::uint8_t& j : level) {
    if (quantized()[j] == 0.0F) j = kStaysFloat;
  }
  return level;
}

constexpr QuantizerInfo kSlq{.name = "slq",
                             .description = "clusters of the layer's weights, quantized part by part",
                             .weight_bits = {kFewestSlqBits, kMostSlqBits},
                             .activation_bits = {},
                             .weights = weight_maker<SlqWeights>,
                             .activations = nullptr,
                             .weight_options = kSlqOptions,
                             .activation_options = {}};

}  // namespace bitplane::train
