// SPDX-License-Identifier: Apache-2.0
#include "trainer/nets/parts.h"

#include <cmath>
#include <utility>

#include "trainer/nets/layer_sizes.h"
#include "trainer/quantizers/byte_weights.h"
#include "trainer/quantizers/running_clip.h"

namespace bitplane::train {

WeightStart he_fan_out(std::size_t area, std::size_t outputs) {
  return {.deviation = static_cast<float>(std::sqrt(2.0 / static_cast<double>(area * outputs)))};
}

std::unique_ptr<WeightQuantizer> NetParts::weight_quantizer(Place place,
                                                            const WeightQuantizerOptions& layer) const {
  const QuantizationPlan& plan = options_->plan;
  const bool reached = place == Place::Inner || plan.reach == WeightReach::All ||
                       (plan.reach == WeightReach::AllButLast && place == Place::First);
  if (place == Place::Inner || options_->first_last == FirstLast::Float)
    return reached && plan.weights ? plan.weights(layer) : nullptr;
  ByteWeightsOptions bytes{.out_channels = layer.out_channels, .filter_size = layer.filter_size};
  if (place == Place::First) {
    bytes.picture_scale = options_->picture_scale;
    if (bytes.picture_scale.empty()) bytes.picture_scale.assign(options_->input.channels, 1.0F);
  }
  return std::make_unique<ByteWeights>(std::move(bytes));
}

void NetParts::quantize_input(Sequential& net, const std::string& name, Place place) const {
  if (options_->first_last == FirstLast::Float || place == Place::First || place == Place::Inner) return;
  const ClipRange range = place == Place::Last ? ClipRange::Positive : ClipRange::Signed;
  net.emplace<Quantize>("quant_" + name, std::make_unique<RunningClip>(RunningClipOptions{.range = range}));
}

namespace {

Rounding rounding_at(Place place) {
  return place == Place::Inner ? Rounding::Allowed : Rounding::Never;
}

}  // namespace

std::size_t NetParts::conv(Sequential& net, const std::string& name, const Conv2dOptions& conv,
                           Place place) const {
  const std::size_t area = conv.kernel * conv.kernel;
  Conv2dOptions placed = conv;
  placed.rounding = rounding_at(place);
  quantize_input(net, name, place);
  net.emplace<Conv2d>(name, placed,
                      weight_quantizer(place, {.out_channels = conv.out_channels,
                                               .filter_size = conv.in_channels / conv.groups * area,
                                               .kernel_area = area}));
  return conv.out_channels;
}

std::size_t NetParts::linear(Sequential& net, const std::string& name, const LinearOptions& linear,
                             Place place) const {
  LinearOptions placed = linear;
  placed.rounding = rounding_at(place);
  quantize_input(net, name, place);
  net.emplace<Linear>(
      name, placed,
      weight_quantizer(place, {.out_channels = linear.out_features, .filter_size = linear.in_features}));
  return linear.out_features;
}

void NetParts::quantize(Sequential& net, const std::string& name) const {
  if (!options_->plan.activations) return;
  net.emplace<Quantize>(name, options_->plan.activations());
}

void NetParts::norm_relu(Sequential& net, const std::string& suffix, std::size_t channels) const {
  net.emplace<BatchNorm>("bn" + suffix, BatchNormModuleOptions{.channels = channels});
  net.emplace<Relu>("relu" + suffix);
}

void NetParts::norm_relu_quantize(Sequential& net, const std::string& suffix, std::size_t channels) const {
  norm_relu(net, suffix, channels);
  quantize(net, "quant" + suffix);
}

PictureShape output_shape(const Module& net, const PictureShape& input) {
  const std::vector<LayerSize> sizes = layer_sizes(layer_graph(net), input);
  return sizes.empty() ? input : sizes.back().out;
}

std::size_t output_size(const Module& net, const PictureShape& input) {
  const PictureShape out = output_shape(net, input);
  return out.height * out.width * out.channels;
}

}  // namespace bitplane::train
