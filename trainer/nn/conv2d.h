// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include "trainer/nn/module.h"
#include "trainer/ops/conv2d.h"
#include "trainer/quantizers/quantizer.h"

namespace bitplane::train {

enum class Bias : std::uint8_t { None, Learned };

/// How the parameters of a convolution or linear layer start and learn.
struct WeightStart {
  /// Weights start as N(0, deviation); without one as He fan-in, N(0, sqrt(2 / inputs of an output)).
  std::optional<float> deviation = std::nullopt;
  float bias = 0.0F;       ///< where it starts
  float bias_rate = 1.0F;  ///< learning rate of the bias, relative to the run's
};
/// Not filled yet (initialize_parameters()): a big net that is only measured takes no memory.
/// `quantizer` may be nullptr: float weights.
[[nodiscard]] Parameter make_weight(const Shape& shape, std::size_t fan_in, const WeightStart& start,
                                    const WeightQuantizer* quantizer);
[[nodiscard]] Parameter make_bias(std::size_t outputs, const WeightStart& start);

/// The part of visit_state() of a layer's quantizer. `prefix` ends with '.'.
void visit_quantizer(const std::string& prefix, const StateVisitor& visitor, Parameter& weight,
                     WeightQuantizer& quantizer);

struct Conv2dOptions {
  std::size_t in_channels = 1, out_channels = 1;
  std::size_t kernel = 3, stride = 1, pad = 1, dilation = 1, groups = 1;
  Bias bias = Bias::None;
  Rounding rounding = Rounding::Allowed;
  WeightStart start = {};
};

/// Weights [out][kernel][kernel][in / groups]; fake-quantized in each forward when a
/// quantizer is given.
class Conv2d final : public Module {
 public:
  explicit Conv2d(const Conv2dOptions& options, std::unique_ptr<WeightQuantizer> quantizer = nullptr);

  Variable forward(const Context& ctx, const Variable& x) override;
  void visit_state(const std::string& prefix, const StateVisitor& visitor) override;
  std::string append_to(LayerGraph& graph, const std::string& name, const std::string& input) const override;

  [[nodiscard]] const Conv2dOptions& options() const noexcept { return options_; }
  [[nodiscard]] const Tensor& weight() const noexcept { return weight_.variable.value(); }
  /// nullptr without a bias. [out]
  [[nodiscard]] const Tensor* bias() const noexcept;
  /// nullptr: float weights.
  [[nodiscard]] const WeightQuantizer* quantizer() const noexcept {
    return quantizer_ && !quantizer_->keeps_floats() ? quantizer_.get() : nullptr;
  }

 private:
  Conv2dOptions options_;
  Parameter weight_, bias_;
  std::unique_ptr<WeightQuantizer> quantizer_;
};

}  // namespace bitplane::train
