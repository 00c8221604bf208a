// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>

#include "trainer/nn/conv2d.h"
#include "trainer/nn/module.h"

namespace bitplane::train {

struct LinearOptions {
  std::size_t in_features = 1, out_features = 1;
  Bias bias = Bias::Learned;
  Rounding rounding = Rounding::Allowed;
  WeightStart start = {};
};

/// x [n][in] -> [n][out]; weights [out][in].
class Linear final : public Module {
 public:
  explicit Linear(const LinearOptions& options, std::unique_ptr<WeightQuantizer> quantizer = nullptr);

  Variable forward(const Context& ctx, const Variable& x) override;
  void visit_state(const std::string& prefix, const StateVisitor& visitor) override;
  std::string append_to(LayerGraph& graph, const std::string& name, const std::string& input) const override;

  [[nodiscard]] const LinearOptions& options() const noexcept { return options_; }
  [[nodiscard]] const Tensor& weight() const noexcept { return weight_.variable.value(); }
  [[nodiscard]] const Tensor* bias() const noexcept;
  /// nullptr: float weights.
  [[nodiscard]] const WeightQuantizer* quantizer() const noexcept {
    return quantizer_ && !quantizer_->keeps_floats() ? quantizer_.get() : nullptr;
  }

 private:
  LinearOptions options_;
  Parameter weight_, bias_;
  std::unique_ptr<WeightQuantizer> quantizer_;
};

}  // namespace bitplane::train
