// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bitplane/model_spec.h"

namespace bitplane::engine::reference {

struct Map {
  std::size_t height = 0, width = 0, channels = 0;
  [[nodiscard]] std::size_t size() const { return height * width * channels; }
};

/// A node's result.
struct Tensor {
  Map map;
  std::vector<float> values;            ///< float tensors
  std::vector<std::uint8_t> codes;      ///< quantized tensors
  const Quantize* quantizer = nullptr;  ///< of the codes
  std::vector<float> z;                 ///< what a BN behind a convolution (and its pooling) sees
  std::vector<double> scale, bias;      ///< of that convolution: S_o and the bias
};

}  // namespace bitplane::engine::reference
