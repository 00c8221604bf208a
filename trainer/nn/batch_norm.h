// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "trainer/nn/module.h"
#include "trainer/ops/batch_norm.h"

namespace bitplane::train {

enum class Affine : std::uint8_t { None, Learned };

struct BatchNormModuleOptions {
  std::size_t channels = 1;
  Affine affine = Affine::Learned;
  float epsilon = 1e-5F;
  float momentum = 0.9F;  ///< share of the old running value
  float gamma = 1.0F;     ///< where gamma starts; 0 makes a residual branch start as nothing
};

class BatchNorm final : public Module {
 public:
  explicit BatchNorm(const BatchNormModuleOptions& options);

  Variable forward(const Context& ctx, const Variable& x) override;
  void visit_state(const std::string& prefix, const StateVisitor& visitor) override;
  std::string append_to(LayerGraph& graph, const std::string& name, const std::string& input) const override;

  [[nodiscard]] const BatchNormModuleOptions& options() const noexcept { return options_; }
  [[nodiscard]] const Tensor& running_mean() const noexcept { return running_mean_; }
  [[nodiscard]] const Tensor& running_var() const noexcept { return running_var_; }
  /// nullptr without affine.
  [[nodiscard]] const Tensor* gamma() const noexcept;
  [[nodiscard]] const Tensor* beta() const noexcept;
  /// For the operations in ops/batch_norm.h.
  [[nodiscard]] BatchNormArguments arguments() noexcept;

 private:
  BatchNormModuleOptions options_;
  Parameter gamma_, beta_;
  Tensor running_mean_, running_var_;
};

}  // namespace bitplane::train
