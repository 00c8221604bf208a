// SPDX-License-Identifier: Apache-2.0
#include "trainer/quantizers/tsq.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

#include "trainer/quantizers/rows.h"
#include "trainer/quantizers/uniform.h"

namespace bitplane::train {
namespace {

template <class T>
TernaryFilter otwa(std::span<const T> w) {
  std::vector<T> magnitudes(w.size());
  std::transform(w.begin(), w.end(), magnitudes.begin(), [](T v) { return std::fabs(v); });
  std::sort(magnitudes.begin(), magnitudes.end(), std::greater<>());
  std::size_t kept = 0;
  double sum = 0, best = 0, best_sum = 0;
  for (std::size_t r = 1; r <= w.size(); ++r) {
    sum += static_cast<double>(magnitudes[r - 1]);
    const double objective = sum * sum / static_cast<double>(r);
    if (objective <= best) continue;
    best = objective;
    best_sum = sum;
    kept = r;
  }
  TernaryFilter found{.t = std::vector<std::int8_t>(w.size())};
  if (kept == 0) return found;
  found.alpha = best_sum / static_cast<double>(kept);
  // Of those that equal the smallest one kept, the first ones.
  const T cut = magnitudes[kept - 1];
  auto ties = std::count(magnitudes.begin(), magnitudes.begin() + static_cast<std::ptrdiff_t>(kept), cut);
  for (std::size_t i = 0; i < w.size(); ++i) {
    const T magnitude = std::fabs(w[i]);
    if (magnitude < cut || (magnitude == cut && ties-- <= 0)) continue;
    found.t[i] = w[i] < T{0} ? -1 : 1;
  }
  return found;
}

}  // namespace

TernaryFilter best_ternary(std::span<const double> w) {
  return otwa(w);
}
TernaryFilter best_ternary(std::span<const float> w) {
  return otwa(w);
}

namespace {

constexpr std::string_view kTsqName = "tsq";

constexpr std::array kTsqActivationOptions{
    OptionInfo{.name = "theta",
               .help = "share of zeros; with 2 bits 0.5, 0.5625, 0.625, 0.6875 and 0.75 are as printed",
               .kind = OptionKind::Real,
               .default_value = 0.625,
               .min = 0.5,
               .max = 0.9999},
    OptionInfo{.name = "pass_below_eps",
               .help = "1: the gradient passes from 0 on, so that zeros below epsilon can come back",
               .default_value = 0,
               .min = 0,
               .max = 1},
};

class TsqWeights final : public IntegerWeightQuantizer {
 public:
  using IntegerWeightQuantizer::IntegerWeightQuantizer;
  [[nodiscard]] std::string_view name() const noexcept override { return kTsqName; }

 protected:
  [[nodiscard]] IntegerWeights integers(const Tensor& weights) const override {
    IntegerWeights found{.k = {}, .scale = {}};
    found.k.reserve(weights.size());
    for (std::size_t o = 0; o < layer().out_channels; ++o) {
      const TernaryFilter filter =
          best_ternary(weights.values().subspan(o * layer().filter_size, layer().filter_size));
      found.k.insert(found.k.end(), filter.t.begin(), filter.t.end());
      found.scale.push_back(static_cast<float>(filter.alpha));
    }
    return found;
  }
};

class TsqActivations final : public ActivationQuantizer {
 public:
  explicit TsqActivations(const ActivationQuantizerOptions& options) : bits_(options.bits) {
    const OptionReader read(kTsqActivationOptions, options.options);
    table_ = sparse_table(sparse_levels(bits_, read.real("theta")), bits_,
                          read.is_on("pass_below_eps") ? BelowEpsilon::Learns : BelowEpsilon::Stuck);
  }

  [[nodiscard]] std::string_view name() const noexcept override { return kTsqName; }
  [[nodiscard]] std::size_t bits() const noexcept override { return bits_; }
  void visit_state(const std::string&, const StateVisitor&) override {}
  [[nodiscard]] bool wants_unit_input() const noexcept override { return true; }
  [[nodiscard]] ThresholdTable table() const override { return table_; }
  [[nodiscard]] engine::Quantize export_spec() const override {
    return uniform_spec(table_, table_.levels[1]);
  }

 private:
  std::size_t bits_;
  ThresholdTable table_;
};

}  // namespace

constexpr QuantizerInfo kTsq{.name = kTsqName,
                             .description = "ternary, one best scale per filter; sparse uniform levels",
                             .weight_bits = {2, 2},
                             .activation_bits = {1, 8},
                             .weights = weight_maker<TsqWeights>,
                             .activations = activation_maker<TsqActivations>,
                             .weight_options = {},
                             .activation_options = kTsqActivationOptions};

}  // namespace bitplane::train
