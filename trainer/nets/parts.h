// SPDX-License-Identifier: Apache-2.0
//
// What the nets are put together from: layers with scaled channels and with the quantizers of the plan. Nets
// say where a layer stands; the method says what happens there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "trainer/nets/net.h"
#include "trainer/nn/layers.h"

namespace bitplane::train {

/// Inner layers are quantized; first and last ones stay float.
enum class Place : std::uint8_t { First, Inner, Last };

class NetParts {
 public:
  explicit NetParts(const NetOptions& options) : options_(&options) {}

  /// Channels of the net as published -> of this one.
  [[nodiscard]] std::size_t scaled(std::size_t channels) const {
    return scaled_channels(channels, options_->width);
  }

  /// Channels in `conv` are those of this net. Returns conv.out_channels.
  std::size_t conv(Sequential& net, const std::string& name, const Conv2dOptions& conv, Place place) const;
  void linear(Sequential& net, const std::string& name, const LinearOptions& linear, Place place) const;
  /// The plan's quantizer of activations, or nothing.
  void quantize(Sequential& net, const std::string& name) const;

  /// "bn<suffix>", "relu<suffix>"
  void norm_relu(Sequential& net, const std::string& suffix, std::size_t channels) const;
  /// The same and "quant<suffix>".
  void norm_relu_quantize(Sequential& net, const std::string& suffix, std::size_t channels) const;

 private:
  [[nodiscard]] std::unique_ptr<WeightQuantizer> weight_quantizer(Place place,
                                                                  const WeightQuantizerOptions& layer) const;
  const NetOptions* options_;
};

}  // namespace bitplane::train
