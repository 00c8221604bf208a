// SPDX-License-Identifier: Apache-2.0
//
// HWGQ (Cai, He, Sun, Vasconcelos, "Deep learning with low precision by half-wave Gaussian quantization",
// CVPR 2017): k Delta with the Delta that is best for the positive half of a standard normal distribution;
// k = #{j = 0..L-1 : x > (j = 0 ? 0 : (j + 1/2) Delta)}, L = 2^n - 1. Every positive value is at least Delta.
// The batch norm right in front has no scale and shift.
//
//   backward  clipped: 1 on 0 < x <= L Delta; vanilla: 1 for x > 0; log-tailed: 1 / (x - (L Delta - 1)) above
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "trainer/quantizers/rows.h"
#include "trainer/quantizers/uniform.h"

namespace bitplane::train {
namespace {

constexpr std::string_view kHwgqName = "hwgq";
/// By bits. 2 bits as in the public configuration (the optimum is 0.5388).
constexpr std::array kHwgqSteps{0.7979F, 0.538F, 0.3217F, 0.1842F, 0.102984F};

constexpr std::array<std::string_view, 3> kHwgqTails{"clipped", "vanilla", "log-tailed"};
constexpr std::array kHwgqOptions{
    OptionInfo{.name = "tail",
               .help = "gradient above the largest level: clipped (0), vanilla (1) or log-tailed",
               .kind = OptionKind::Choice,
               .choices = kHwgqTails},
};

class HwgqActivations final : public ActivationQuantizer {
 public:
  explicit HwgqActivations(const ActivationQuantizerOptions& options)
      : bits_(options.bits),
        step_(kHwgqSteps[options.bits - 1]),
        tail_(OptionReader(kHwgqOptions, options.options).choice("tail")) {}

  [[nodiscard]] std::string_view name() const noexcept override { return kHwgqName; }
  [[nodiscard]] std::size_t bits() const noexcept override { return bits_; }
  void visit_state(const std::string&, const StateVisitor&) override {}
  [[nodiscard]] bool wants_unit_input() const noexcept override { return true; }
  /// The log tail is no interval, so it is never fused.
  [[nodiscard]] bool looks_ahead() const noexcept override { return tail_ == "log-tailed"; }
  [[nodiscard]] ThresholdTable table() const override {
    ThresholdTable table = nearest_table(bits_, step_);
    for (std::size_t l = 0; l < table.thresholds.size(); ++l) {
      const double middle = (static_cast<double>(l) + 0.5) * static_cast<double>(step_);
      table.thresholds[l] = l == 0 ? 0.0F : static_cast<float>(middle);  // a tie takes the lower level
    }
    table.pass_above = 0.0F;
    table.pass_up_to = tail_ == "clipped" ? largest() : std::numeric_limits<float>::infinity();
    return table;
  }
  std::vector<Tensor> backward(const Context& ctx, const ThresholdTable& used, const Tensor& x,
                               Tensor grad_output) override {
    if (tail_ != "log-tailed") return ActivationQuantizer::backward(ctx, used, x, std::move(grad_output));
    Tensor grad(x.shape());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const float v = x.data()[i];
      const float slope = v > largest() ? 1.0F / (v - (largest() - 1.0F)) : (v > 0.0F ? 1.0F : 0.0F);
      grad.mutable_data()[i] = slope * grad_output.data()[i];
    }
    return {std::move(grad)};
  }
  [[nodiscard]] std::vector<double> surrogate(const SurrogatePoint& point) const override {
    if (tail_ != "log-tailed") return ActivationQuantizer::surrogate(point);
    const auto top = static_cast<double>(largest());
    std::vector<double> y;
    for (const double x : point.x) {
      y.push_back(x > top ? top + std::log(x - (top - 1.0)) : std::max(x, 0.0));
    }
    return y;
  }
  [[nodiscard]] engine::Quantize export_spec() const override { return uniform_spec(table(), step_); }

 private:
  [[nodiscard]] float largest() const { return step_ * static_cast<float>((1 << bits_) - 1); }

  std::size_t bits_;
  float step_;
  std::string tail_;
};

}  // namespace

constexpr QuantizerInfo kHwgq{.name = kHwgqName,
                              .description = "fixed levels that are best for a half-wave Gaussian",
                              .weight_bits = {},
                              .activation_bits = {1, kHwgqSteps.size()},
                              .weights = nullptr,
                              .activations = activation_maker<HwgqActivations>,
                              .weight_options = {},
                              .activation_options = kHwgqOptions};

}  // namespace bitplane::train
