// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "trainer/autograd/variable.h"

namespace bitplane::train {

/// Decides the weight decay (Weight only) and what a report counts.
enum class ParameterRole : std::uint8_t { Weight, Bias, BatchNorm, Quantizer };

enum class InitRule : std::uint8_t {
  Constant,  ///< every element is `value`
  HeFanIn,   ///< N(0, sqrt(2 / fan_in))
  Normal,    ///< N(0, value): a Gaussian whose standard deviation is `value`
  AsMade,    ///< as its maker filled it
};

struct Initialization {
  InitRule rule = InitRule::Constant;
  float value = 0.0F;
  std::size_t fan_in = 1;
};

struct Parameter {
  Variable variable = {};
  ParameterRole role = ParameterRole::Weight;
  Initialization init = {};
  float learning_rate_factor = 1.0F;
  /// As many elements: optimizers pass over those whose mark is 1, decay and momentum included. Undefined:
  /// all elements move.
  Tensor frozen = {};
};

class WeightQuantizer;
class ActivationQuantizer;

/// Called for everything that a checkpoint holds. Names are paths joined with '.', e.g. "conv2.weight".
struct StateVisitor {
  std::function<void(const std::string& name, Parameter& parameter)> parameter;
  /// Not trained by gradient: running statistics, learned bases.
  std::function<void(const std::string& name, Tensor& buffer)> buffer;
  /// Beside `parameter`: the layers whose weights are quantized, by the layer's name.
  std::function<void(const std::string& layer, Tensor& weights, WeightQuantizer& quantizer)> quantized = {};
  /// Beside `parameter`: the quantizers of activations.
  std::function<void(ActivationQuantizer& quantizer)> activations = {};
};

}  // namespace bitplane::train
