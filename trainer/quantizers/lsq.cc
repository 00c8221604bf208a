// SPDX-License-Identifier: Apache-2.0
//
// LSQ (Esser, McKinstry, Bablani, Appuswamy, Modha, "Learned step size quantization", ICLR 2020): one step s
// per layer and operand, trained.
//
//   v' = round(clamp(v / s, -N, P)) s, half away from zero; weights N = 2^(n-1), P = N - 1; activations N =
//   0, P = 2^n - 1
//   dv'/dv = 1 where -N < v / s < P, else 0
//   dv'/ds = g (round(v / s) - v / s) inside, -g N or g P outside; g = 1 / sqrt(count P), count = weights,
//   or features of one sample
//   s starts at 2 mean|v| / sqrt(P), of the first batch for activations; after each step s >= 1e-6
#include <algorithm>
#include <cmath>
#include <utility>

#include "trainer/quantizers/blocked_sums.h"
#include "trainer/quantizers/rows.h"
#include "trainer/quantizers/trained_scalar.h"
#include "trainer/quantizers/uniform.h"
#include "trainer/tensor/row_loops.h"

namespace bitplane::train {
namespace {

constexpr std::string_view kLsqName = "lsq";
constexpr float kSmallestStep = 1e-6F;

/// Of one layer: how far codes go, and the scale of the step's gradient.
struct StepRule {
  double lowest, highest, gain;

  static StepRule of(double lowest, double highest, std::size_t count) {
    return {lowest, highest, 1.0 / std::sqrt(static_cast<double>(count) * highest)};
  }
  [[nodiscard]] double code(double ratio) const { return std::round(std::clamp(ratio, lowest, highest)); }
  [[nodiscard]] bool inside(double ratio) const { return ratio > lowest && ratio < highest; }
  [[nodiscard]] double slope_of_step(double ratio) const {
    return gain * (code(ratio) - (inside(ratio) ? ratio : 0.0));
  }
};

float starting_step(double mean, double highest) {
  return std::max(kSmallestStep, static_cast<float>(2.0 * mean / std::sqrt(highest)));
}

std::vector<Reading> step_reading(float step) {
  return {{"step", static_cast<double>(step)}};
}

std::vector<Tensor> step_gradients(Backend& backend, const StepRule& rule, double step, const Tensor& x,
                                   const Tensor& dy) {
  Tensor dx(x.shape());
  float* to = dx.mutable_data();
  const std::vector<double> sums =
      blocked_sums(backend, x.size(), 1, [&](std::size_t begin, std::size_t end, std::span<double> sum) {
        double total = 0;
        for (std::size_t i = begin; i < end; ++i) {
          const double ratio = static_cast<double>(x.data()[i]) / step;
          to[i] = rule.inside(ratio) ? dy.data()[i] : 0.0F;
          total += static_cast<double>(dy.data()[i]) * rule.slope_of_step(ratio);
        }
        sum[0] += total;
      });
  std::vector<Tensor> gradients;
  gradients.push_back(std::move(dx));
  gradients.push_back(scalar_tensor(sums[0]));
  return gradients;
}

/// Linear in x and s around `at`: rounding is held.
std::vector<double> step_surrogate(const StepRule& rule, double step, const SurrogatePoint& point) {
  std::vector<double> y;
  for (std::size_t i = 0; i < point.x.size(); ++i) {
    const double ratio = static_cast<double>(point.at.data()[i]) / step;
    y.push_back((rule.inside(ratio) ? point.x[i] : 0.0) + rule.slope_of_step(ratio) * point.trained[0][0]);
  }
  return y;
}

class LsqWeights final : public IntegerWeightQuantizer {
 public:
  using IntegerWeightQuantizer::IntegerWeightQuantizer;
  [[nodiscard]] std::string_view name() const noexcept override { return kLsqName; }
  [[nodiscard]] std::vector<Variable> trained() const override { return {step_.variable()}; }
  void visit_state(const std::string& prefix, const StateVisitor& visitor) override {
    step_.visit(prefix + "step", visitor);
    visitor.buffer(prefix + "started", started_);
  }
  std::vector<Tensor> backward(const Context& ctx, const Tensor& weights, Tensor grad_output) override {
    return step_gradients(ctx.backend, rule(), static_cast<double>(step_for(weights)), weights, grad_output);
  }
  [[nodiscard]] std::vector<double> surrogate(const SurrogatePoint& point) const override {
    return step_surrogate(rule(), static_cast<double>(step_for(point.at)), point);
  }
  void constrain(Tensor&) override { step_.set(std::max(kSmallestStep, step_.value())); }
  [[nodiscard]] std::vector<Reading> readings() const override { return step_reading(step_.value()); }

 protected:
  void before_forward(const Context&, const Tensor& weights) override {
    step_.set(step_for(weights));
    started_.fill(1.0F);
  }
  [[nodiscard]] IntegerWeights integers(const Tensor& weights) const override {
    IntegerWeights found{.k = std::vector<std::int16_t>(weights.size()), .scale = {step_for(weights)}};
    const StepRule limits = rule();
    const auto step = static_cast<double>(found.scale[0]);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      found.k[i] = static_cast<std::int16_t>(limits.code(static_cast<double>(weights.data()[i]) / step));
    }
    return found;
  }

 private:
  [[nodiscard]] StepRule rule() const {
    const auto half = static_cast<double>(1 << (bits() - 1));
    return StepRule::of(-half, half - 1.0, layer().out_channels * layer().filter_size);
  }
  [[nodiscard]] float step_for(const Tensor& weights) const {
    if (started_.data()[0] != 0.0F) return std::max(kSmallestStep, step_.value());
    return starting_step(mean_magnitude(weights.values()), rule().highest);
  }

  TrainedScalar step_{1.0F};
  Tensor started_ = Tensor::zeros({1});
};

class LsqActivations final : public ActivationQuantizer {
 public:
  explicit LsqActivations(const ActivationQuantizerOptions& options) : bits_(options.bits) {}

  [[nodiscard]] std::string_view name() const noexcept override { return kLsqName; }
  [[nodiscard]] std::size_t bits() const noexcept override { return bits_; }
  [[nodiscard]] std::vector<Variable> trained() const override { return {step_.variable()}; }
  void visit_state(const std::string& prefix, const StateVisitor& visitor) override {
    step_.visit(prefix + "step", visitor);
    visitor.buffer(prefix + "started", started_);
  }
  [[nodiscard]] bool looks_ahead() const noexcept override { return true; }
  void constrain() override { step_.set(step()); }
  void before_batch(const Context& ctx, const Tensor& x) override {
    if (started_.data()[0] != 0.0F) return;
    step_.set(starting_step(mean_of_magnitudes(ctx.backend, x), highest()));
    started_.fill(1.0F);
  }
  [[nodiscard]] ThresholdTable table() const override {
    ThresholdTable table = nearest_table(bits_, step());
    table.pass_above = 0.0F;
    table.pass_up_to = just_below(step() * static_cast<float>(highest()));
    return table;
  }
  std::vector<Tensor> backward(const Context& ctx, const ThresholdTable& used, const Tensor& x,
                               Tensor grad_output) override {
    TrainedGradients found = trained_gradients(
        ctx.backend,
        {.pass = pass_interval({.table = &used}), .factor = -1.0F / step(), .thresholds = used.thresholds}, x,
        std::move(grad_output));
    std::vector<Tensor> gradients;
    gradients.push_back(std::move(found.dx));
    gradients.push_back(scalar_tensor(rule(x).gain * found.trained));
    return gradients;
  }
  [[nodiscard]] std::vector<double> surrogate(const SurrogatePoint& point) const override {
    return step_surrogate(rule(point.at), static_cast<double>(step()), point);
  }
  [[nodiscard]] engine::Quantize export_spec() const override { return uniform_spec(table(), step()); }
  [[nodiscard]] std::vector<Reading> readings() const override { return step_reading(step()); }

 private:
  [[nodiscard]] float step() const { return std::max(kSmallestStep, step_.value()); }
  [[nodiscard]] double highest() const { return static_cast<double>((1 << bits_) - 1); }
  [[nodiscard]] StepRule rule(const Tensor& x) const {
    return StepRule::of(0.0, highest(), x.size() / x.shape().front());
  }

  std::size_t bits_;
  TrainedScalar step_{1.0F};
  Tensor started_ = Tensor::zeros({1});
};

}  // namespace

constexpr QuantizerInfo kLsq{.name = kLsqName,
                             .description = "uniform levels whose step is trained, per layer",
                             .weight_bits = {2, 8},
                             .activation_bits = {1, 8},
                             .weights = weight_maker<LsqWeights>,
                             .activations = activation_maker<LsqActivations>,
                             .weight_options = {},
                             .activation_options = {}};

}  // namespace bitplane::train
