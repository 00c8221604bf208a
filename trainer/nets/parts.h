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

/// Inner layers are quantized by the method, and multiply in the run's precision; first and last ones stay
/// float32, take 8 bits (NetOptions::first_last), or the method's weights where it reaches that far
/// (QuantizationPlan::reach). LastSigned: a last one whose input no ReLU made.
enum class Place : std::uint8_t { First, Inner, Last, LastSigned };

/// N(0, sqrt(2 / (area * outputs))), He's fan-out rule, which the ResNets start with.
[[nodiscard]] WeightStart he_fan_out(std::size_t area, std::size_t outputs);

class NetParts {
 public:
  explicit NetParts(const NetOptions& options) : options_(&options) {}

  [[nodiscard]] const NetOptions& options() const noexcept { return *options_; }
  /// Channels of the net as published -> of this one.
  [[nodiscard]] std::size_t scaled(std::size_t channels) const {
    return scaled_channels(channels, options_->width);
  }

  /// Channels in `conv` are those of this net. Returns conv.out_channels.
  std::size_t conv(Sequential& net, const std::string& name, const Conv2dOptions& conv, Place place) const;
  std::size_t linear(Sequential& net, const std::string& name, const LinearOptions& linear,
                     Place place) const;
  /// The plan's quantizer of activations, or nothing.
  void quantize(Sequential& net, const std::string& name) const;

  /// "bn<suffix>", "relu<suffix>"
  void norm_relu(Sequential& net, const std::string& suffix, std::size_t channels) const;
  /// The same and "quant<suffix>".
  void norm_relu_quantize(Sequential& net, const std::string& suffix, std::size_t channels) const;

 private:
  [[nodiscard]] std::unique_ptr<WeightQuantizer> weight_quantizer(Place place,
                                                                  const WeightQuantizerOptions& layer) const;
  /// "quant_<name>" in front of an 8-bit last layer.
  void quantize_input(Sequential& net, const std::string& name, Place place) const;
  const NetOptions* options_;
};

/// What `net` makes of a picture: the shape behind its last layer.
[[nodiscard]] PictureShape output_shape(const Module& net, const PictureShape& input);
/// Its numbers: what a linear layer behind "flatten" reads.
[[nodiscard]] std::size_t output_size(const Module& net, const PictureShape& input);

}  // namespace bitplane::train
