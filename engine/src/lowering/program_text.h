// SPDX-License-Identifier: Apache-2.0
//
// What lowering makes of a model, as text for people.
#pragma once

#include <string>
#include <vector>

#include "bitplane/model_spec.h"
#include "bitplane/status.h"
#include "lowering/program.h"

namespace bitplane::engine {

/// One line per step: its number, kind, nodes, inputs, what it does to each element, and its output.
[[nodiscard]] std::string program_text(const ModelSpec& spec, const Program& program);

struct PassText {
  std::string pass;
  std::size_t steps = 0;
  std::string program;
};

/// The program behind each pass of lower(), in order; last "plan_arena", with the place of each value in the
/// memory of a session with batch 1. Errors: those of validate() and lower().
[[nodiscard]] Result<std::vector<PassText>> lowering_text(const ModelSpec& spec);

}  // namespace bitplane::engine
