// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "bitplane/engine.h"
#include "bitplane/model_spec.h"
#include "lowering/program.h"
#include "runtime/packed_weights.h"

namespace bitplane::engine {

/// Immutable once made, but for the cache of packed weights, which locks itself.
struct Model::Impl {
  Impl(ModelSpec model_spec, std::vector<NodeShape> node_shapes, Program lowered)
      : spec(std::move(model_spec)),
        shapes(std::move(node_shapes)),
        program(std::move(lowered)),
        packed(spec, program) {}

  ModelSpec spec;
  std::vector<NodeShape> shapes;  ///< of spec.nodes
  Program program;
  PackedWeights packed;
  std::size_t file_bytes = 0;
};

}  // namespace bitplane::engine
