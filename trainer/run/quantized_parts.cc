// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/quantized_parts.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <variant>

#include "trainer/nn/quantize.h"
#include "trainer/quantizers/byte_weights.h"
#include "trainer/quantizers/running_clip.h"

namespace bitplane::train {
namespace {

bool has_weights(Module& net) {
  return std::ranges::any_of(quantized_layers(net), [](const QuantizedLayer& layer) {
    return dynamic_cast<const ByteWeights*>(layer.quantizer) == nullptr;
  });
}

bool has_activations(const Module& net) {
  return std::ranges::any_of(layer_graph(net).nodes, [](const LayerNode& node) {
    const auto* const* quantize = std::get_if<const Quantize*>(&node.layer);
    return quantize != nullptr && dynamic_cast<const RunningClip*>(&(*quantize)->quantizer()) == nullptr;
  });
}

}  // namespace

void require_quantized_parts(const Config& config, Module& net) {
  if (config.wbits != kFloatBits && !has_weights(net)) {
    throw std::invalid_argument("method '" + config.method + "' finds no layer of this net to quantize: " +
                                (config.options.contains("layers")
                                     ? "give --option layers=all"
                                     : "take a net with layers between the first and the last"));
  }
  if (config.abits != kFloatBits && !has_activations(net)) {
    throw std::invalid_argument("method '" + config.method +
                                "' finds no activations of this net to quantize: take a net with layers of "
                                "type quantize, or --abits 32 where the method has it");
  }
}

}  // namespace bitplane::train
