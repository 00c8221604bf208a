// SPDX-License-Identifier: Apache-2.0
//
// The steps of a session's plan, for `info` and `bench`.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "bitplane/engine.h"
#include "engine/cli/shared/json_output.h"
#include "engine/cli/shared/table.h"

namespace bitplane::cli {

/// "2 bits", "float"
[[nodiscard]] std::string bits_text(std::size_t bits);

[[nodiscard]] Table step_table(std::span<const engine::StepInfo> steps);
[[nodiscard]] Json step_json(const engine::StepInfo& step);

}  // namespace bitplane::cli
