// SPDX-License-Identifier: Apache-2.0
//
// What each layer of a net makes of a picture, and what that costs.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "trainer/nets/net.h"
#include "trainer/nn/layer_graph.h"

namespace bitplane::train {

struct LayerSize {
  std::string name = {};
  PictureShape out;
  std::size_t weights = 0;     ///< of a convolution or linear layer, without bias
  std::size_t parameters = 0;  ///< all numbers trained by gradient, quantizers not counted
  std::size_t macs = 0;        ///< per picture, padded positions counted
};

/// One per node of the graph. Throws std::invalid_argument naming the layer that does not fit its input.
[[nodiscard]] std::vector<LayerSize> layer_sizes(const LayerGraph& graph, const PictureShape& input);

struct NetCounts {
  std::size_t parameters = 0;    ///< all numbers trained by gradient
  std::size_t conv_weights = 0;  ///< of convolutions, shortcuts included
  std::size_t conv_macs = 0;
  std::size_t macs = 0;  ///< per picture: convolutions and linear layers
};

/// Of a net of the list as it was published: its picture, its classes, width 1, float.
[[nodiscard]] NetCounts count_net(const NetInfo& net);
[[nodiscard]] NetCounts count_graph(const LayerGraph& graph, const PictureShape& input);

}  // namespace bitplane::train
