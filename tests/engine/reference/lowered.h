// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "lowering/passes.h"

namespace bitplane::engine::reference {

/// A valid spec, lowered by the engine.
inline Program lowered(const ModelSpec& spec) {
  const Result<std::vector<NodeShape>> shapes = validate(spec);
  EXPECT_TRUE(shapes.ok()) << shapes.status().message();
  Result<Program> program = lower(spec, shapes.value());
  EXPECT_TRUE(program.ok()) << program.status().message();
  return std::move(program).value();
}

}  // namespace bitplane::engine::reference
