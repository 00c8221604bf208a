// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "trainer/nn/module.h"
#include "trainer/quantizers/quantizer.h"

namespace bitplane::train {

/// Quantizes activations: the layer's input is replaced by its levels.
class Quantize final : public Module {
 public:
  explicit Quantize(std::unique_ptr<ActivationQuantizer> quantizer);

  Variable forward(const Context& ctx, const Variable& x) override;
  void visit_state(const std::string& prefix, const StateVisitor& visitor) override;
  std::string append_to(LayerGraph& graph, const std::string& name, const std::string& input) const override;

  [[nodiscard]] const ActivationQuantizer& quantizer() const noexcept { return *quantizer_; }
  [[nodiscard]] ActivationQuantizer& quantizer() noexcept { return *quantizer_; }

 private:
  std::unique_ptr<ActivationQuantizer> quantizer_;
};

}  // namespace bitplane::train
