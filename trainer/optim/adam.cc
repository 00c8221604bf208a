// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <utility>

#include "trainer/math/transcendental.h"
#include "trainer/optim/frozen.h"
#include "trainer/optim/optimizer.h"
#include "trainer/tensor/row_loops.h"

namespace bitplane::train {
namespace {

enum class DecayRule : std::uint8_t { InGradient, Decoupled };

/// 1 - beta^steps
double bias_correction(double beta, double steps) {
  return beta == 0.0 ? 1.0 : 1.0 - math::exp(steps * math::log(beta));
}

class Adam final : public Optimizer {
 public:
  Adam(std::vector<NamedParameter> parameters, const OptimizerOptions& options, DecayRule rule)
      : parameters_(std::move(parameters)),
        factors_(resolve_factors(parameters_, options.rules)),
        options_(options),
        rule_(rule) {
    for (const NamedParameter& p : parameters_) {
      mean_.push_back(Tensor::zeros(p.parameter->variable.shape()));
      square_.push_back(Tensor::zeros(p.parameter->variable.shape()));
      steps_.push_back(Tensor::zeros({1}));
    }
  }

  void step(Backend& backend, double learning_rate) override {
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      Parameter& p = *parameters_[i].parameter;
      if (!p.variable.has_grad()) continue;
      const kernels::AdamStep whole = whole_step(i, learning_rate);
      const auto step = [&](std::size_t begin, std::size_t end) {
        kernels::AdamStep part = whole;
        part.size = end - begin;
        part.gradient += begin;
        part.mean += begin;
        part.square += begin;
        part.weight += begin;
        backend.elementwise().adam_step(part);
      };
      const Moving moving{.weight = whole.weight, .state = {whole.mean, whole.square}};
      backend.threads().parallel_ranges(mean_[i].size(), kFlatGrain,
                                        [&](std::size_t begin, std::size_t end, std::size_t) {
                                          step_around_frozen(p.frozen, begin, end, moving, step);
                                        });
    }
  }

  void visit_state(const std::function<void(const std::string&, Tensor&)>& visit) override {
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      visit(parameters_[i].name + ".mean", mean_[i]);
      visit(parameters_[i].name + ".square", square_[i]);
      visit(parameters_[i].name + ".steps", steps_[i]);
    }
  }

 private:
  /// The next step of parameter i over all of its elements.
  kernels::AdamStep whole_step(std::size_t i, double learning_rate) {
    Parameter& p = *parameters_[i].parameter;
    // A float counts to 2^24 and then stands still; both corrections are 1 by then.
    float& count = steps_[i].mutable_data()[0];
    count += 1.0F;
    const auto steps = static_cast<double>(count);
    const double rate = learning_rate * factors_[i].rate;
    const double decay = options_.weight_decay * factors_[i].decay;
    return {.size = mean_[i].size(),
            .rate = static_cast<float>(rate / bias_correction(options_.momentum, steps)),
            .beta1 = static_cast<float>(options_.momentum),
            .beta2 = static_cast<float>(options_.beta2),
            .epsilon = static_cast<float>(options_.epsilon),
            .inverse_root = static_cast<float>(1.0 / std::sqrt(bias_correction(options_.beta2, steps))),
            .decay = rule_ == DecayRule::InGradient ? static_cast<float>(decay) : 0.0F,
            .shrink = rule_ == DecayRule::Decoupled ? static_cast<float>(rate * decay) : 0.0F,
            .gradient = p.variable.grad().data(),
            .mean = mean_[i].mutable_data(),
            .square = square_[i].mutable_data(),
            .weight = p.variable.mutable_value().mutable_data()};
  }

  std::vector<NamedParameter> parameters_;
  std::vector<ParameterFactors> factors_;
  OptimizerOptions options_;
  DecayRule rule_;
  std::vector<Tensor> mean_, square_, steps_;
};

}  // namespace

std::unique_ptr<Optimizer> make_adam(std::vector<NamedParameter> parameters,
                                     const OptimizerOptions& options) {
  return std::make_unique<Adam>(std::move(parameters), options, DecayRule::InGradient);
}

std::unique_ptr<Optimizer> make_adamw(std::vector<NamedParameter> parameters,
                                      const OptimizerOptions& options) {
  return std::make_unique<Adam>(std::move(parameters), options, DecayRule::Decoupled);
}

}  // namespace bitplane::train
