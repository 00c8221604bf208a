// SPDX-License-Identifier: Apache-2.0
#include "trainer/nets/parts.h"

#include <utility>

namespace bitplane::train {

std::unique_ptr<WeightQuantizer> NetParts::weight_quantizer(Place place,
                                                            const WeightQuantizerOptions& layer) const {
  if (place != Place::Inner || !options_->plan.weights) return nullptr;
  return options_->plan.weights(layer);
}

std::size_t NetParts::conv(Sequential& net, const std::string& name, const Conv2dOptions& conv,
                           Place place) const {
  const std::size_t area = conv.kernel * conv.kernel;
  net.emplace<Conv2d>(name, conv,
                      weight_quantizer(place, {.out_channels = conv.out_channels,
                                               .filter_size = conv.in_channels / conv.groups * area,
                                               .kernel_area = area}));
  return conv.out_channels;
}

void NetParts::linear(Sequential& net, const std::string& name, const LinearOptions& linear,
                      Place place) const {
  net.emplace<Linear>(
      name, linear,
      weight_quantizer(place, {.out_channels = linear.out_features, .filter_size = linear.in_features}));
}

void NetParts::quantize(Sequential& net, const std::string& name) const {
  if (options_->plan.activations) net.emplace<Quantize>(name, options_->plan.activations());
}

void NetParts::norm_relu(Sequential& net, const std::string& suffix, std::size_t channels) const {
  net.emplace<BatchNorm>("bn" + suffix, BatchNormModuleOptions{.channels = channels});
  net.emplace<Relu>("relu" + suffix);
}

void NetParts::norm_relu_quantize(Sequential& net, const std::string& suffix, std::size_t channels) const {
  norm_relu(net, suffix, channels);
  quantize(net, "quant" + suffix);
}

}  // namespace bitplane::train
