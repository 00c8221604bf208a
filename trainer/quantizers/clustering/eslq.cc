// SPDX-License-Identifier: Apache-2.0
#include "trainer/quantizers/clustering/eslq.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "trainer/quantizers/rows.h"

namespace bitplane::train {
namespace {

constexpr std::array<std::string_view, 2> kTypes{"power-of-two", "two-digit"};
constexpr std::array kEslqOptions{
    kSlqOptions[0],
    kSlqOptions[1],
    OptionInfo{.name = "type",
               .help = "what centres may be: power-of-two, or two-digit (decimal)",
               .kind = OptionKind::Choice,
               .choices = kTypes},
    OptionInfo{.name = "beta",
               .help = "pull of the centres towards that type; 0: just enough to reach it",
               .kind = OptionKind::Real,
               .default_value = 0,
               .min = 0,
               .max = 1e9},
};

}  // namespace

EslqWeights::EslqWeights(const WeightQuantizerOptions& layer) : SlqWeights(layer) {
  const OptionReader read(kEslqOptions, layer.options);
  powers_ = read.choice("type") == "power-of-two";
  beta_ = read.real("beta");
}

void EslqWeights::visit_state(const std::string& prefix, const StateVisitor& visitor) {
  SlqWeights::visit_state(prefix, visitor);
  visitor.buffer(prefix + "top", top_);
}

float EslqWeights::unit() const noexcept {
  return std::ldexp(top_.data()[0], 1 - static_cast<int>(exponents()));
}

double EslqWeights::target_of(double centre) const {
  if (!powers_) return static_cast<double>(static_cast<float>(two_digits(centre)));
  if (top_.data()[0] == 0.0F) return 0.0;
  const int e_max = floor_log2(static_cast<double>(top_.data()[0]));
  return nearest_power_of_two(centre, e_max + 1 - static_cast<int>(exponents()), e_max);
}

double EslqWeights::pull(const ClusterSums& sums, std::span<const std::size_t> chosen,
                         std::span<const double> targets) const {
  if (beta_ > 0) return beta_;
  double n = 0, largest = 0;
  for (const double count : sums.count) n += count;
  for (std::size_t c = 0; c < chosen.size(); ++c) {
    const std::size_t j = chosen[c];
    if (sums.count[j] == 0) continue;
    largest = std::max(largest, sums.count[j] / n * std::fabs(sums.mean(j) - targets[c]));
  }
  return 2.0 * largest;
}

void EslqWeights::choose(Backend& backend, Tensor& weights, const Loss& loss) {
  if (parts_done() == 0) {
    const auto largest = static_cast<double>(largest_magnitude(weights.values()));
    top_.fill(largest > 0 ? std::ldexp(1.0F, floor_log2(largest)) : 0.0F);
  }
  SlqWeights::choose(backend, weights, loss);
}

void EslqWeights::settle(Backend& backend, std::span<const float> weights,
                         std::span<const std::size_t> chosen) {
  const std::vector<float> fixed = pinned();
  std::vector<float> not_by_mean = fixed;
  std::vector<double> targets;
  for (const std::size_t j : chosen) {
    targets.push_back(target_of(static_cast<double>(levels()[j])));
    not_by_mean[j] = 1.0F;
  }
  const auto n = static_cast<double>(weights.size());
  lloyd(backend, weights, levels(), [&](const ClusterSums& sums) {
    const double beta = pull(sums, chosen, targets);
    for (std::size_t c = 0; c < chosen.size(); ++c) {
      const std::size_t j = chosen[c];
      if (fixed[j] != 0.0F) continue;
      const double share = sums.count[j] / n;
      const double centre =
          share > 0 ? solve({.mean = sums.mean(j), .target = targets[c], .beta = beta, .share = share})
                    : targets[c];
      mutable_levels()[j] = static_cast<float>(centre);
    }
    for (std::size_t j = 0; j < levels().size(); ++j) move_to_mean(sums, j, not_by_mean, mutable_levels());
  });
  for (std::size_t c = 0; c < chosen.size(); ++c)
    mutable_levels()[chosen[c]] = static_cast<float>(targets[c]);
}

WeightExport EslqWeights::export_weights(const Tensor& weights) const {
  return powers_ ? export_powers(weights, unit(), exponents()) : SlqWeights::export_weights(weights);
}

constexpr QuantizerInfo kEslq{.name = "eslq",
                              .description = "SLQ with centres that are powers of two, or two digits",
                              .weight_bits = {3, 5},
                              .activation_bits = {},
                              .weights = weight_maker<EslqWeights>,
                              .activations = nullptr,
                              .weight_options = kEslqOptions,
                              .activation_options = {}};

}  // namespace bitplane::train
