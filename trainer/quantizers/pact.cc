// SPDX-License-Identifier: Apache-2.0
//
// PACT (Choi, Wang, Venkataramani, Chuang, Srinivasan, Gopalakrishnan, "PACT: parameterized clipping
// activation for quantized neural networks", 2018): y = clamp(x, 0, alpha) on 2^n - 1 uniform steps, alpha
// trained per layer and decayed like a weight. dy/dx = 1 on [0, alpha), dy/dalpha = 1 from alpha on.
#include <algorithm>
#include <array>
#include <utility>

#include "trainer/quantizers/rows.h"
#include "trainer/quantizers/trained_scalar.h"
#include "trainer/quantizers/uniform.h"
#include "trainer/tensor/row_loops.h"

namespace bitplane::train {
namespace {

constexpr std::string_view kPactName = "pact";

constexpr std::array kPactOptions{
    OptionInfo{.name = "clip_start",
               .help = "where the clip point of each layer starts",
               .kind = OptionKind::Real,
               .default_value = 10,
               .min = 1e-3,
               .max = 1e6},
};

class PactActivations final : public ActivationQuantizer {
 public:
  explicit PactActivations(const ActivationQuantizerOptions& options)
      : bits_(options.bits),
        alpha_(static_cast<float>(OptionReader(kPactOptions, options.options).real("clip_start")), 1.0F,
               ParameterRole::Weight) {}

  [[nodiscard]] std::string_view name() const noexcept override { return kPactName; }
  [[nodiscard]] std::size_t bits() const noexcept override { return bits_; }
  [[nodiscard]] std::vector<Variable> trained() const override { return {alpha_.variable()}; }
  void visit_state(const std::string& prefix, const StateVisitor& visitor) override {
    alpha_.visit(prefix + "clip_point", visitor);
  }
  [[nodiscard]] ThresholdTable table() const override {
    ThresholdTable table = nearest_table(bits_, scale());
    table.pass_above = just_below(0.0F);
    table.pass_up_to = just_below(largest());
    return table;
  }
  std::vector<Tensor> backward(const Context& ctx, const ThresholdTable& used, const Tensor& x,
                               Tensor grad_output) override {
    const float top = just_below(largest());
    TrainedGradients found =
        trained_gradients(ctx.backend, {.pass = pass_interval({.table = &used}), .thresholds = {&top, 1}}, x,
                          std::move(grad_output));
    std::vector<Tensor> gradients;
    gradients.push_back(std::move(found.dx));
    gradients.push_back(scalar_tensor(found.trained));
    return gradients;
  }
  [[nodiscard]] std::vector<double> surrogate(const SurrogatePoint& point) const override {
    std::vector<double> y;
    for (const double x : point.x) y.push_back(std::clamp(x, 0.0, point.trained[0][0]));
    return y;
  }
  [[nodiscard]] engine::Quantize export_spec() const override { return uniform_spec(table(), scale()); }
  void constrain() override { alpha_.set(largest()); }
  [[nodiscard]] std::vector<Reading> readings() const override {
    return {{"clip_point", static_cast<double>(largest())}};
  }

 private:
  [[nodiscard]] float largest() const {
    constexpr float kSmallest = 1e-4F;
    return std::max(kSmallest, alpha_.value());
  }
  [[nodiscard]] float scale() const { return largest() / static_cast<float>((1 << bits_) - 1); }

  std::size_t bits_;
  TrainedScalar alpha_;
};

}  // namespace

constexpr QuantizerInfo kPact{.name = kPactName,
                              .description = "uniform levels up to a trained clip point",
                              .weight_bits = {},
                              .activation_bits = {1, 8},
                              .weights = nullptr,
                              .activations = activation_maker<PactActivations>,
                              .weight_options = {},
                              .activation_options = kPactOptions};

}  // namespace bitplane::train
