// SPDX-License-Identifier: Apache-2.0
//
// TWN (Li, Zhang, Liu, "Ternary weight networks", 2016): alpha {-1, 0, +1} per layer, 0 where |w| <= t;
// t = 0.7 mean|W|, alpha = mean of the |w| above t. Straight through.
#include <cmath>

#include "trainer/quantizers/rows.h"
#include "trainer/quantizers/uniform.h"

namespace bitplane::train {
namespace {

constexpr std::string_view kTwnName = "twn";

class TwnWeights final : public IntegerWeightQuantizer {
 public:
  using IntegerWeightQuantizer::IntegerWeightQuantizer;
  [[nodiscard]] std::string_view name() const noexcept override { return kTwnName; }

 protected:
  [[nodiscard]] IntegerWeights integers(const Tensor& weights) const override {
    constexpr double kShare = 0.7;
    const double threshold = kShare * mean_magnitude(weights.values());
    IntegerWeights found{.k = std::vector<std::int16_t>(weights.size()), .scale = {}};
    double sum = 0;
    std::size_t count = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const auto w = static_cast<double>(weights.data()[i]);
      if (!(std::fabs(w) > threshold)) continue;
      found.k[i] = w > 0 ? 1 : -1;
      sum += std::fabs(w);
      ++count;
    }
    found.scale = {count == 0 ? 0.0F : static_cast<float>(sum / static_cast<double>(count))};
    return found;
  }
};

}  // namespace

constexpr QuantizerInfo kTwn{.name = kTwnName,
                             .description = "ternary, one scale for the layer",
                             .weight_bits = {2, 2},
                             .activation_bits = {},
                             .weights = weight_maker<TwnWeights>,
                             .activations = nullptr,
                             .weight_options = {},
                             .activation_options = {}};

}  // namespace bitplane::train
