// SPDX-License-Identifier: Apache-2.0
//
// INQ (Zhou, Yao, Guo, Xu, Chen, "Incremental network quantization", ICLR 2017): 0 and powers of two, the
// largest weights first.
//
//   levels    0, +-2^n1 .. +-2^n2 of the layer's float weights: n1 = floor(log2(4 max|w| / 3)),
//             n2 = n1 + 1 - 2^(bits-1) / 2
//   part      of the weights that are still float, as many of the largest as make up the next share
//   w         -> +-beta where (alpha + beta) / 2 <= |w| < 3 beta / 2, alpha the magnitude below (0 below the
//             smallest); the largest magnitude above all of that
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "trainer/quantizers/clustering/k_means.h"
#include "trainer/quantizers/incremental.h"
#include "trainer/quantizers/rows.h"

namespace bitplane::train {
namespace {

constexpr std::string_view kInqName = "inq";

constexpr std::array kHalves{0.5, 0.75, 0.875, 1.0};
constexpr std::array kThirds{0.3, 0.6, 0.8, 1.0};
constexpr std::array<std::string_view, 2> kShares{"50-75-87.5-100", "30-60-80-100"};
constexpr std::array kInqOptions{
    OptionInfo{.name = "shares",
               .help = "percent of the weights that are quantized after each part",
               .kind = OptionKind::Choice,
               .choices = kShares},
};

class InqWeights final : public IncrementalWeights {
 public:
  explicit InqWeights(const WeightQuantizerOptions& layer)
      : IncrementalWeights(layer, (std::size_t{1} << (layer.bits - 1)) + 1),
        shares_(OptionReader(kInqOptions, layer.options).choice("shares") == kShares[0] ? kHalves : kThirds) {
  }

  [[nodiscard]] std::string_view name() const noexcept override { return kInqName; }
  [[nodiscard]] std::size_t parts() const noexcept override { return shares_.size(); }

  void choose(Backend&, Tensor& weights, const Loss&) override {
    check(weights);
    if (parts_done() > 0) return;
    const auto largest = static_cast<double>(largest_magnitude(weights.values()));
    const float top = largest > 0 ? std::ldexp(1.0F, floor_log2(4.0 * largest / 3.0)) : 0.0F;
    for (std::size_t e = 0; e < exponents(); ++e) {
      mutable_levels()[2 * e + 1] = std::ldexp(top, -static_cast<int>(e));
      mutable_levels()[2 * e + 2] = -levels()[2 * e + 1];
    }
  }

  [[nodiscard]] WeightExport export_weights(const Tensor& weights) const override {
    return export_powers(weights, levels()[levels().size() - 2], exponents());
  }

 protected:
  [[nodiscard]] std::vector<std::uint8_t> next_levels(Backend&,
                                                      std::span<const float> weights) const override {
    const std::span<const float> fixed = frozen_marks();
    std::vector<std::size_t> free;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (fixed[i] == 0.0F) free.push_back(i);
    }
    const double wanted = shares_[parts_done()] * static_cast<double>(weights.size());
    const std::size_t done = weights.size() - free.size();
    const std::size_t after = std::max(done, static_cast<std::size_t>(std::floor(wanted + 0.5)));
    std::stable_sort(free.begin(), free.end(), [&](std::size_t a, std::size_t b) {
      return std::fabs(weights[a]) > std::fabs(weights[b]);
    });
    std::vector<std::uint8_t> level(weights.size(), kStaysFloat);
    for (std::size_t n = 0; n < after - done; ++n) level[free[n]] = level_of_weight(weights[free[n]]);
    return level;
  }

 private:
  [[nodiscard]] std::size_t exponents() const noexcept { return (levels().size() - 1) / 2; }
  [[nodiscard]] std::uint8_t level_of_weight(float weight) const {
    constexpr float kNextBelow = 0.75F, kZeroBelow = 0.5F;  // (alpha + beta) / 2 in betas
    const float magnitude = std::fabs(weight);
    for (std::size_t e = 0; e < exponents(); ++e) {
      const float beta = levels()[2 * e + 1];
      if (beta == 0.0F || magnitude < beta * (e + 1 < exponents() ? kNextBelow : kZeroBelow)) continue;
      return static_cast<std::uint8_t>(2 * e + (weight > 0.0F ? 1 : 2));
    }
    return 0;
  }

  std::array<double, 4> shares_;
};

}  // namespace

constexpr QuantizerInfo kInq{.name = kInqName,
                             .description = "0 and powers of two, the largest weights first",
                             .weight_bits = {2, 5},
                             .activation_bits = {},
                             .weights = weight_maker<InqWeights>,
                             .activations = nullptr,
                             .weight_options = kInqOptions,
                             .activation_options = {}};

}  // namespace bitplane::train
