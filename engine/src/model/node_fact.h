// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bitplane/model_spec.h"

namespace bitplane::engine {

/// What validation knows of a tensor between two nodes.
struct NodeFact {
  NodeShape shape;
  const Quantize* quantizer = nullptr;  ///< its elements are codes of this quantizer; null: they are floats
  const InputSpec* picture = nullptr;   ///< it is the picture itself: floats, and bytes for who wants them
};

}  // namespace bitplane::engine
