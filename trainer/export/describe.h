// SPDX-License-Identifier: Apache-2.0
//
// A trained net as an engine::ModelSpec: the one description that the trainer's evaluation runs and that
// export writes, so that both agree on what is uniform, what is learned, and every threshold.
//
// BN and scales stay unfused. Quantized weights become planes where the layer's input is quantized, as do
// 8-bit ones of a first layer, which multiply the picture's bytes, and a codebook on float activations
// (W/32). Layers that take floats read the codes of a quantizer through a dequantize node, which stands
// behind it under its name and ".values".
#pragma once

#include <stdexcept>
#include <string>

#include "bitplane/model_spec.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/nn/layer_graph.h"
#include "trainer/quantizers/quantizer.h"

namespace bitplane::train {

/// A layer that can be trained and that model files cannot hold (yet).
class NotInFormat : public std::invalid_argument {
 public:
  explicit NotInFormat(const std::string& missing, const std::string& layer = "?");
  /// "average pooling over windows"
  [[nodiscard]] const std::string& what_is_missing() const noexcept { return missing_; }

 private:
  std::string missing_;
};

/// Without provenance and golden pair. Throws NotInFormat naming a layer that the format does not have.
[[nodiscard]] engine::ModelSpec describe_net(const LayerGraph& trained, const Task& task);

/// Codes [out][k] -> canonical planes.
[[nodiscard]] engine::Planes pack_planes(const WeightExport& weights);
/// Indices likewise, in as many planes as the largest one may need.
[[nodiscard]] engine::Planes pack_planes(const CodebookExport& weights);

/// The basis that means the same and is uniform where that is possible: a single plane whose entries are not
/// negative is a scale. A bipolar plane of one channel with a negative entry is the plane of flipped bits
/// with the positive one, so one bipolar plane is always uniform. Changes codes and basis.
void canonicalize(WeightExport& weights);
[[nodiscard]] engine::Quantize canonicalized(engine::Quantize quantize);

}  // namespace bitplane::train
