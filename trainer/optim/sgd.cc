// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "trainer/optim/frozen.h"
#include "trainer/optim/optimizer.h"
#include "trainer/tensor/row_loops.h"

namespace bitplane::train {
namespace {

class Sgd final : public Optimizer {
 public:
  Sgd(std::vector<NamedParameter> parameters, const OptimizerOptions& options, kernels::Momentum rule)
      : parameters_(std::move(parameters)),
        factors_(resolve_factors(parameters_, options.rules)),
        options_(options),
        rule_(rule) {
    for (const NamedParameter& p : parameters_)
      velocity_.push_back(Tensor::zeros(p.parameter->variable.shape()));
  }

  void step(Backend& backend, double learning_rate) override {
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      Parameter& p = *parameters_[i].parameter;
      if (!p.variable.has_grad()) continue;
      const auto rate = static_cast<float>(learning_rate * factors_[i].rate);
      const auto momentum = static_cast<float>(options_.momentum);
      const auto decay = static_cast<float>(options_.weight_decay * factors_[i].decay);
      const float* gradient = p.variable.grad().data();
      float* velocity = velocity_[i].mutable_data();
      float* weight = p.variable.mutable_value().mutable_data();
      const auto step = [&](std::size_t begin, std::size_t end) {
        backend.elementwise().sgd_step({.size = end - begin,
                                        .rate = rate,
                                        .momentum = momentum,
                                        .decay = decay,
                                        .rule = rule_,
                                        .gradient = gradient + begin,
                                        .velocity = velocity + begin,
                                        .weight = weight + begin});
      };
      backend.threads().parallel_ranges(
          velocity_[i].size(), kFlatGrain, [&](std::size_t begin, std::size_t end, std::size_t) {
            step_around_frozen(p.frozen, begin, end, {.weight = weight, .state = {velocity}}, step);
          });
    }
  }

  void visit_state(const std::function<void(const std::string&, Tensor&)>& visit) override {
    for (std::size_t i = 0; i < parameters_.size(); ++i)
      visit(parameters_[i].name + ".velocity", velocity_[i]);
  }

 private:
  std::vector<NamedParameter> parameters_;
  std::vector<ParameterFactors> factors_;
  OptimizerOptions options_;
  kernels::Momentum rule_;
  std::vector<Tensor> velocity_;
};

}  // namespace

std::unique_ptr<Optimizer> make_sgd(std::vector<NamedParameter> parameters, const OptimizerOptions& options) {
  return std::make_unique<Sgd>(std::move(parameters), options, kernels::Momentum::Classic);
}

std::unique_ptr<Optimizer> make_nesterov(std::vector<NamedParameter> parameters,
                                         const OptimizerOptions& options) {
  return std::make_unique<Sgd>(std::move(parameters), options, kernels::Momentum::Nesterov);
}

}  // namespace bitplane::train
