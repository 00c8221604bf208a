// SPDX-License-Identifier: Apache-2.0
//
// DoReFa-Net (Zhou, Wu, Ni, Zhou, Wen, Zou, "DoReFa-Net: training low bitwidth convolutional neural networks
// with low bitwidth gradients", 2016), with float gradients.
//
//   weights      n > 1: 2 quantize_n(tanh(w) / (2 max|tanh W|) + 1/2) - 1; the maximum is held constant
//                n = 1: sign(w) mean|W| of the layer, sign(0) = +1, straight through
//   activations  quantize_n(clamp(x, 0, 1)), slope 1 on [0, 1]
//   quantize_n(r) = round((2^n - 1) r) / (2^n - 1), half up, slope 1
#include <algorithm>
#include <cmath>
#include <utility>

#include "trainer/math/transcendental.h"
#include "trainer/quantizers/rows.h"
#include "trainer/quantizers/uniform.h"

namespace bitplane::train {
namespace {

constexpr std::string_view kDorefaName = "dorefa";

double tanh_of(double w) {
  const double e = math::exp(-2.0 * std::fabs(w));
  const double t = (1.0 - e) / (1.0 + e);
  return w < 0 ? -t : t;
}

/// max|tanh W| = tanh(max|W|).
double largest_tanh(const Tensor& weights) {
  float largest = 0.0F;
  for (const float w : weights.values()) largest = std::max(largest, std::fabs(w));
  return tanh_of(static_cast<double>(largest));
}

class DorefaWeights final : public IntegerWeightQuantizer {
 public:
  using IntegerWeightQuantizer::IntegerWeightQuantizer;
  [[nodiscard]] std::string_view name() const noexcept override { return kDorefaName; }

  std::vector<Tensor> backward(const Context&, const Tensor& weights, Tensor grad_output) override {
    const double top = largest_tanh(weights);
    if (bits() == 1 || top == 0) return {std::move(grad_output)};
    Tensor grad(weights.shape());
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const double t = tanh_of(static_cast<double>(weights.data()[i]));
      grad.mutable_data()[i] =
          static_cast<float>(static_cast<double>(grad_output.data()[i]) * (1.0 - t * t) / top);
    }
    return {std::move(grad)};
  }

  [[nodiscard]] std::vector<double> surrogate(const SurrogatePoint& point) const override {
    const double top = largest_tanh(point.at);
    std::vector<double> y(point.x.begin(), point.x.end());
    if (bits() == 1) return y;
    for (double& w : y) w = std::tanh(w) / top;
    return y;
  }

 protected:
  [[nodiscard]] IntegerCodes codes() const noexcept override { return IntegerCodes::Odd; }

  [[nodiscard]] IntegerWeights integers(const Tensor& weights) const override {
    IntegerWeights found{.k = std::vector<std::int16_t>(weights.size()), .scale = {}};
    if (bits() == 1) {
      found.scale = {static_cast<float>(mean_magnitude(weights.values()))};
      for (std::size_t i = 0; i < weights.size(); ++i) found.k[i] = weights.data()[i] >= 0.0F ? 1 : -1;
      return found;
    }
    const int q = (1 << bits()) - 1;
    const double top = largest_tanh(weights), half = 0.5 * q;
    found.scale = {1.0F / static_cast<float>(q)};
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const double t = top > 0 ? tanh_of(static_cast<double>(weights.data()[i])) / top : 0.0;
      found.k[i] = static_cast<std::int16_t>(2 * static_cast<int>(half * t + half + 0.5) - q);
    }
    return found;
  }
};

class DorefaActivations final : public ActivationQuantizer {
 public:
  explicit DorefaActivations(const ActivationQuantizerOptions& options)
      : bits_(options.bits), scale_(1.0F / static_cast<float>((1 << options.bits) - 1)) {}

  [[nodiscard]] std::string_view name() const noexcept override { return kDorefaName; }
  [[nodiscard]] std::size_t bits() const noexcept override { return bits_; }
  void visit_state(const std::string&, const StateVisitor&) override {}
  [[nodiscard]] ThresholdTable table() const override {
    ThresholdTable table = nearest_table(bits_, scale_);
    table.pass_above = just_below(0.0F);
    table.pass_up_to = 1.0F;
    return table;
  }
  [[nodiscard]] engine::Quantize export_spec() const override { return uniform_spec(table(), scale_); }

 private:
  std::size_t bits_;
  float scale_;
};

}  // namespace

constexpr QuantizerInfo kDorefa{
    .name = kDorefaName,
    .description = "uniform levels in [-1, 1] behind a tanh (weights), in [0, 1] (activations)",
    .weight_bits = {1, 8},
    .activation_bits = {1, 8},
    .weights = weight_maker<DorefaWeights>,
    .activations = activation_maker<DorefaActivations>,
    .weight_options = {},
    .activation_options = {}};

}  // namespace bitplane::train
