// SPDX-License-Identifier: Apache-2.0
//
// A model as a standard ONNX graph of float operations: planes, bases and codes multiplied out, so that any
// ONNX runtime can check what the engine says.
//
//   input   "input": float [batch][channels][height][width], the picture's bytes 0 to 255 as they are; the
//           model's preprocessing is part of the graph
//   output  the model's output node, by its name, its values in the model's order: float [batch][channels],
//           or [batch][height][width][channels]
//
// Sums have another order than in the engine, so results differ in the last bits, and a value next to a
// threshold may fall on its other side.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bitplane/model_spec.h"

namespace bitplane::onnx {

enum class Outputs : std::uint8_t {
  Result,
  ResultAndQuantizers,  ///< and each quantizer's input and levels, as they lie in the graph
};

struct ExportOptions {
  std::string producer_version;
  Outputs outputs = Outputs::Result;
};

/// A quantizer's values in the graph.
struct QuantizerNames {
  std::string node;   ///< and its levels
  std::string input;  ///< what its thresholds are compared with
};

struct Exported {
  std::vector<std::byte> file;
  std::vector<std::size_t> output;  ///< the result's dimensions behind the batch
  std::vector<QuantizerNames> quantizers;
};

/// Metadata: "labels", one a line, and the provenance, each key behind "provenance.".
/// Errors: a spec that validate() refuses; a net too large for one ONNX file.
[[nodiscard]] engine::Result<Exported> export_onnx(const engine::ModelSpec& spec,
                                                   const ExportOptions& options);

}  // namespace bitplane::onnx
