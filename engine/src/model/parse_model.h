// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "bitplane/model_spec.h"

namespace bitplane::engine {

struct ParsedModel {
  ModelSpec spec;
  std::vector<NodeShape> shapes;  ///< of validate()
};

/// parse_model() whose weights stay where they are: views of `bytes`, which lie in `memory`. Throws
/// std::bad_alloc.
Result<ParsedModel> parse_model_in(std::span<const std::byte> bytes, std::shared_ptr<ViewedMemory> memory);

}  // namespace bitplane::engine
