// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/readings.h"

#include "trainer/nn/layers.h"

namespace bitplane::train {
namespace {

const Quantizer* quantizer_in(const Conv2d* layer) {
  return layer->quantizer();
}
const Quantizer* quantizer_in(const Linear* layer) {
  return layer->quantizer();
}
const Quantizer* quantizer_in(const Quantize* layer) {
  return &layer->quantizer();
}
template <class Layer>
const Quantizer* quantizer_in(const Layer* /*layer*/) {
  return nullptr;
}

}  // namespace

std::vector<Reading> quantizer_readings(const Module& net) {
  std::vector<Reading> all;
  for (const LayerNode& node : layer_graph(net).nodes) {
    const Quantizer* quantizer =
        std::visit([](const auto* layer) { return quantizer_in(layer); }, node.layer);
    if (quantizer == nullptr) continue;
    for (Reading& reading : quantizer->readings()) {
      all.push_back({node.name + "." + reading.name, reading.value});
    }
  }
  return all;
}

}  // namespace bitplane::train
