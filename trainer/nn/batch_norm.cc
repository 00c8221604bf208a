// SPDX-License-Identifier: Apache-2.0
#include "trainer/nn/batch_norm.h"

namespace bitplane::train {

BatchNorm::BatchNorm(const BatchNormModuleOptions& options)
    : options_(options),
      running_mean_(Tensor::zeros({options.channels})),
      running_var_(Tensor::filled({options.channels}, 1.0F)) {
  if (options.affine == Affine::None) return;
  gamma_ = {.variable = Variable(Tensor::filled({options.channels}, options.gamma), Gradient::Required),
            .role = ParameterRole::BatchNorm,
            .init = {.rule = InitRule::Constant, .value = options.gamma}};
  beta_ = {.variable = Variable(Tensor::zeros({options.channels}), Gradient::Required),
           .role = ParameterRole::BatchNorm,
           .init = {}};
}

Variable BatchNorm::forward(const Context& ctx, const Variable& x) {
  return batch_norm(ctx, x, arguments());
}

void BatchNorm::visit_state(const std::string& prefix, const StateVisitor& visitor) {
  if (options_.affine == Affine::Learned) {
    visitor.parameter(prefix + "gamma", gamma_);
    visitor.parameter(prefix + "beta", beta_);
  }
  visitor.buffer(prefix + "running_mean", running_mean_);
  visitor.buffer(prefix + "running_var", running_var_);
}

std::string BatchNorm::append_to(LayerGraph& graph, const std::string& name, const std::string& input) const {
  graph.nodes.push_back({name, {input}, this});
  return name;
}

const Tensor* BatchNorm::gamma() const noexcept {
  return gamma_.variable.defined() ? &gamma_.variable.value() : nullptr;
}
const Tensor* BatchNorm::beta() const noexcept {
  return beta_.variable.defined() ? &beta_.variable.value() : nullptr;
}

BatchNormArguments BatchNorm::arguments() noexcept {
  return {.gamma = gamma_.variable,
          .beta = beta_.variable,
          .running_mean = &running_mean_,
          .running_var = &running_var_,
          .epsilon = options_.epsilon,
          .momentum = options_.momentum};
}

}  // namespace bitplane::train
